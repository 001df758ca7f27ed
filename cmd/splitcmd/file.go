package splitcmd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/spf13/cobra"

	"github.com/switchback-proxy/switchback/api/control"
	"github.com/switchback-proxy/switchback/splitter"
)

// adoption returns what to adopt: what the file of --config says of the split, or, without one, an empty request,
// which means the answering proxy's own file.
func adoption(cmd *cobra.Command, split string) (control.AdoptRequest, error) {
	f := cmd.Flags()
	config, err := f.GetString("config")
	if err != nil || config == "" {
		return control.AdoptRequest{}, err
	}
	adapter, err := f.GetString("adapter")
	if err != nil {
		return control.AdoptRequest{}, err
	}
	loaded, err := loadConfig(config, adapter)
	if err != nil {
		return control.AdoptRequest{}, err
	}
	r, found, err := findSplit(loaded, split)
	if err != nil {
		return r, fmt.Errorf("reading %q: %w", config, err)
	}
	if !found {
		return r, fmt.Errorf("%q has no traffic_split %q", config, split)
	}
	return r, nil
}

// loadConfig reads a configuration file ("-": the standard input) as Caddy's own commands do, but in silence: theirs log
// what they read and every warning of the adapter, which is for who runs the proxy and not for who asks it something.
func loadConfig(file, adapter string) (json.RawMessage, error) {
	config, err := readAll(file, os.Stdin)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	if adapter == "" && isCaddyfile(file) {
		adapter = "caddyfile"
	}
	if adapter == "" {
		if err := json.Unmarshal(config, new(any)); err != nil {
			return nil, fmt.Errorf("%q is not valid JSON: %w; if it is not meant to be, name its --adapter", file, err)
		}
		return config, nil
	}
	a := caddyconfig.GetAdapter(adapter)
	if a == nil {
		return nil, fmt.Errorf("--adapter %q: there is no such config adapter in this program", adapter)
	}
	config, _, err = a.Adapt(config, map[string]any{"filename": file})
	if err != nil {
		return nil, fmt.Errorf("%q, read by the adapter %s: %w", file, adapter, err)
	}
	return config, nil
}

// isCaddyfile reports whether Caddy takes a file for a Caddyfile by its name.
func isCaddyfile(file string) bool {
	base := strings.ToLower(filepath.Base(file))
	if filepath.Ext(base) == ".json" {
		return false
	}
	return strings.HasPrefix(base, "caddyfile") || strings.HasSuffix(base, ".caddyfile")
}

// handler is what a traffic_split's JSON says of roles and weights.
type handler struct {
	Handler  string `json:"handler"`
	Name     string `json:"name"`
	Stable   string `json:"stable"`
	Canary   string `json:"canary"`
	Variants []struct {
		Name   string          `json:"name"`
		Weight splitter.Weight `json:"weight"`
	} `json:"variants"`
}

// findSplit looks for a split's handler anywhere in a Caddy configuration: it may be nested in routes of any depth,
// and in modules that this program does not know. A split in two sites agrees in roles and weights, so the first
// found will do.
func findSplit(config json.RawMessage, split string) (control.AdoptRequest, bool, error) {
	var list []json.RawMessage
	if json.Unmarshal(config, &list) == nil {
		return findIn(list, split)
	}
	if !bytes.HasPrefix(bytes.TrimSpace(config), []byte("{")) {
		return control.AdoptRequest{}, false, nil // a word or a number
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(config, &object); err != nil {
		return control.AdoptRequest{}, false, err
	}
	var h handler
	if string(object["handler"]) == `"traffic_split"` {
		if err := json.Unmarshal(config, &h); err != nil {
			return control.AdoptRequest{}, false, err
		}
		if h.Name == split {
			return h.adoption(), true, nil
		}
	}
	for _, value := range object {
		list = append(list, value)
	}
	return findIn(list, split)
}

func findIn(values []json.RawMessage, split string) (control.AdoptRequest, bool, error) {
	for _, v := range values {
		if r, found, err := findSplit(v, split); found || err != nil {
			return r, found, err
		}
	}
	return control.AdoptRequest{}, false, nil
}

// adoption returns the request that makes the fleet's state say what the handler says. A file that names one variant
// alone need not call it stable.
func (h handler) adoption() control.AdoptRequest {
	r := control.AdoptRequest{Stable: h.Stable, Canary: h.Canary, Weights: map[string]splitter.Weight{}}
	for _, v := range h.Variants {
		r.Weights[v.Name] = v.Weight
	}
	if r.Stable == "" && len(h.Variants) == 1 {
		r.Stable = h.Variants[0].Name
	}
	return r
}
