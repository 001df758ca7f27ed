package caddymodule

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The access log tells where a request was placed, nested by split, and never who asked.
func TestAccessLog(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "access.log")
	p := startProxy(t, `
	log {
		output file `+file+`
		format filter {
			request>headers>X-User delete
		}
	}
	route {
		traffic_split s {
			key header X-User
			`+variantSites+`
		}
	}`)
	p.send(p.request("X-User", "alice-the-secret"))
	var line string
	eventually(t, "the access log's line", func() bool {
		data, err := os.ReadFile(file)
		line = string(data)
		return err == nil && strings.Contains(line, "handled request")
	})
	if strings.Contains(line, "alice") || strings.Contains(line, "bucket") {
		t.Errorf("the access log tells who asked: %s", line)
	}
	var entry struct {
		TrafficSplit map[string]struct {
			Variant, Reason string
			Epoch           uint64
		} `json:"traffic_split"`
	}
	if err := json.Unmarshal([]byte(line), &entry); err != nil {
		t.Fatal(err)
	}
	got := entry.TrafficSplit["s"]
	if got.Reason != "SPLIT" || got.Epoch != 1 || got.Variant != "blue" && got.Variant != "green" {
		t.Errorf("the access log has %+v", entry.TrafficSplit)
	}
}

// A request that passes two splits has both in its line: the placement before is kept.
func TestTwoSplits(t *testing.T) {
	file := filepath.Join(t.TempDir(), "access.log")
	p := startProxy(t, `
	log {
		output file `+file+`
	}
	traffic_split outer {
		stable a
		variant a 100% {
			handle {
				traffic_split inner {
					stable b
					variant b 100% {
						handle {
							respond "{http.traffic_split.outer.variant}{http.traffic_split.inner.variant}"
						}
					}
				}
			}
		}
	}`)
	if got, _ := p.send(p.request()); got != "ab" {
		t.Errorf("placeholders say %q, want %q", got, "ab")
	}
	eventually(t, "both splits in the access log", func() bool {
		data, err := os.ReadFile(file)
		return err == nil && strings.Contains(string(data), `"outer":{"variant":"a"`) &&
			strings.Contains(string(data), `"inner":{"variant":"b"`)
	})
}
