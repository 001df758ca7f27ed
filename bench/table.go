package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// row is one line of the table.
type row struct {
	// Name is the measurement that it came of.
	Name string `json:"name"`
	// What says what was measured.
	What     string `json:"what"`
	Measured string `json:"measured"`
	// Baseline is what it is compared with, measured in the same run; empty if there is none.
	Baseline string `json:"baseline,omitempty"`
	Bar      string `json:"bar"`
	// OK is whether the bar is met.
	OK bool `json:"ok"`
	// Figures are the numbers behind the words, for programs; each name ends in its unit.
	Figures map[string]float64 `json:"figures,omitempty"`
	// Notes say what went wrong, for people, and what else there is to be said.
	Notes []string `json:"notes,omitempty"`
}

// printTable prints the rows as aligned text.
func printTable(w io.Writer, rows []row) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "what\tmeasured\tbaseline\tbar\t")
	for _, r := range rows {
		mark := "ok"
		if !r.OK {
			mark = "MISSED"
		}
		baseline := r.Baseline
		if baseline == "" {
			baseline = "-"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", r.What, r.Measured, baseline, r.Bar, mark)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("print the table: %w", err)
	}
	return printNotes(w, rows)
}

// printNotes prints what there is to be said of the rows, in order.
func printNotes(w io.Writer, rows []row) error {
	for _, r := range rows {
		for _, note := range r.Notes {
			if _, err := fmt.Fprintf(w, "%s: %s\n", r.What, note); err != nil {
				return fmt.Errorf("print the notes: %w", err)
			}
		}
	}
	return nil
}

// printJSON prints the rows as one JSON array.
func printJSON(w io.Writer, rows []row) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if rows == nil {
		rows = []row{}
	}
	if err := e.Encode(rows); err != nil {
		return fmt.Errorf("print the rows: %w", err)
	}
	return nil
}

// inMS returns a duration in milliseconds.
func inMS(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
