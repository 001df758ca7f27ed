package control

import (
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
)

// document is what these tests read of openapi.yaml.
type document struct {
	Paths      map[string]map[string]any `yaml:"paths"`
	Components struct {
		Schemas map[string]struct {
			Properties map[string]any `yaml:"properties"`
		} `yaml:"schemas"`
	} `yaml:"components"`
}

func readDocument(t *testing.T) document {
	t.Helper()
	text, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var d document
	if err := yaml.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestOpenAPIHasEveryPath(t *testing.T) {
	var got, want []string
	for path, operations := range readDocument(t).Paths {
		for name := range operations {
			if name != "parameters" {
				got = append(got, strings.ToUpper(name)+" "+path)
			}
		}
	}
	for path, m := range fleetPaths {
		for method := range m {
			want = append(want, method+" /"+path)
		}
	}
	for path, m := range instancePaths {
		for method := range m {
			want = append(want, method+" /"+path+"{instance}")
		}
	}
	for path, m := range splitPaths {
		for method := range m {
			want = append(want, method+" "+strings.TrimSuffix("/{split}/"+path, "/"))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("openapi.yaml's paths (-handler +document):\n%s", diff)
	}
}

func TestOpenAPIHasEveryField(t *testing.T) {
	schemas := readDocument(t).Components.Schemas
	for _, v := range []any{
		WeightsRequest{}, KillRequest{}, ReviveRequest{}, RenameRequest{}, AdoptRequest{}, PolicyRequest{},
		ForgetRequest{}, ImportRequest{}, StartRequest{}, PauseRequest{}, ResumeRequest{}, StepRequest{}, PromoteRequest{},
		AbortRequest{}, RollbackRequest{}, RetryRequest{}, SwitchRequest{}, SwitchBackRequest{}, RetireRequest{}, DrillRequest{},
		rollout.Plan{}, rollout.Step{}, rollout.Gate{}, rollout.Window{}, PlanStatus{}, rollout.Wait{}, splitter.Pause{}, Exposure{},
		splitter.Promotion{}, Share{}, RunningDrill{}, splitter.FailedDrill{}, Drill{}, DrillStep{}, Why{}, Preflight{}, PreflightItem{}, Targets{}, Target{},
		List{}, Status{}, Variant{}, Change{}, Confirmation{}, Laggard{}, Events{}, Event{},
		Instances{}, Instance{}, Forgotten{}, Export{}, Drained{}, Readiness{}, Problem{},
		health.Verdict{}, health.StreamVerdict{}, health.FewUsers{},
		splitter.Kill{}, splitter.Trickle{}, splitter.Probe{}, splitter.Span{},
	} {
		typ := reflect.TypeOf(v)
		got := slices.Sorted(maps.Keys(schemas[typ.Name()].Properties))
		want := slices.Sorted(maps.Keys(fieldsOf(typ)))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("openapi.yaml's schema %s (-struct +document):\n%s", typ.Name(), diff)
		}
	}
}

// fieldsOf returns the names that a struct's fields have in JSON, those of embedded structs included.
func fieldsOf(typ reflect.Type) map[string]bool {
	fields := map[string]bool{}
	for _, f := range reflect.VisibleFields(typ) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
			fields[name] = true
		}
	}
	return fields
}
