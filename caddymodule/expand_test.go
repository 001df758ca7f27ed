package caddymodule

import "testing"

func TestExpandLater(t *testing.T) {
	t.Setenv("SWITCHBACK_TEST_GATE", "https://gate.example/abc")
	for in, want := range map[string]string{
		"https://gate.example":                       "https://gate.example",
		"{env.SWITCHBACK_TEST_GATE}?x=1":             "https://gate.example/abc?x=1",
		"https://{env.SWITCHBACK_TEST_NOT_SET}/gate": "",
	} {
		if got := expandLater(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
