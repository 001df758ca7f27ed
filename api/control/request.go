package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"unicode/utf8"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/rollout"
	"github.com/switchback-proxy/switchback/splitter"
)

// Limits of what a caller may send.
const (
	maxBody   = 64 << 10 // bytes
	maxImport = 1 << 20  // bytes: a State remembers lifted kills for 90 days
	maxActor  = 128      // characters
	maxReason = 1000     // characters
)

// Claim is what every change may say of itself.
type Claim struct {
	// Actor is who says to have asked: at most 128 characters, all of them shown.
	Actor string `json:"actor,omitempty"`
	// Reason is why, for the audit log: at most 1000 characters, all of them shown.
	Reason string `json:"reason,omitempty"`
}

func (c Claim) claim() Claim { return c }

func (Claim) limit() int64 { return maxBody }

// WeightsRequest is the body of PATCH {split}/weights.
type WeightsRequest struct {
	// Weights names the variants to set, in percent ("10%"); what they leave or take goes to or comes from stable.
	Weights map[string]splitter.Weight `json:"weights,omitempty"`
	// FromFile takes all weights from the answering instance's configuration; Weights must be absent.
	FromFile bool `json:"from_file,omitempty"`
	// Force increases the canary in spite of a cooldown.
	Force bool `json:"force,omitempty"`
	Claim
}

// KillRequest is the body of POST {split}/kill.
type KillRequest struct {
	// Variant is what to turn off; empty means the whole split.
	Variant string `json:"variant,omitempty"`
	// Level is "requests" (default: what is in flight finishes), "drain" (what has not finished by the deadline ends then)
	// or "cut" (it ends now).
	Level splitter.KillLevel `json:"level,omitempty"`
	// Deadline is how long a drain waits, from when the kill is made: up to 24h; absent means 30s. Other levels have none.
	Deadline *health.Duration `json:"deadline,omitempty"`
	// Rate bounds how many requests the whole fleet ends a second ("200/s", up to 1000000/s), at the levels that end any;
	// absent: all at once.
	Rate splitter.Rate `json:"rate,omitzero"`
	// All allows to turn off stable, and with it the whole split.
	All bool `json:"all,omitempty"`
	Claim
}

// ReviveRequest is the body of POST {split}/revive: kills by id, or those of one variant, or (both empty) all.
type ReviveRequest struct {
	IDs     []string `json:"ids,omitempty"`
	Variant string   `json:"variant,omitempty"`
	Claim
}

// RenameRequest is the body of POST {split}/rename.
type RenameRequest struct {
	// From is the variant's name in the State, To the one that the new file gives it.
	From string `json:"from"`
	To   string `json:"to"`
	Claim
}

// AdoptRequest is the body of POST {split}/adopt; an empty one means the answering instance's own file.
type AdoptRequest struct {
	Stable  string                     `json:"stable,omitempty"`
	Canary  string                     `json:"canary,omitempty"`
	Weights map[string]splitter.Weight `json:"weights,omitempty"`
	// Force adopts a file that takes the latest promotion back.
	Force bool `json:"force,omitempty"`
	Claim
}

// PolicyRequest is the body of POST {split}/policy.
type PolicyRequest struct{ Claim }

// decode reads a change's body into v, strictly: a field that is misspelt or given twice is refused, as silence about
// it could turn off more than was meant. Only inside a State unknown fields are kept: a newer release may have written it.
func decode(w http.ResponseWriter, r *http.Request, limit int64, v any) error {
	if err := requireJSON(r); err != nil {
		return err
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return kindTooLarge.problem("the body is longer than %d bytes", tooLarge.Limit)
	}
	if err != nil {
		return kindMalformed.problem("reading the body: %v", err)
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	return unmarshal(body, v)
}

// requireJSON refuses every content type but JSON's: a browser lets any page send the others unasked.
func requireJSON(r *http.Request) error {
	given := r.Header.Get("Content-Type")
	mediaType, _, err := mime.ParseMediaType(given)
	if err != nil || mediaType != "application/json" {
		return kindMediaType.problem("content type %q: a change must be sent as application/json: add -H 'Content-Type: application/json'", given)
	}
	return nil
}

// unmarshal decodes one strict JSON object. What is not JSON is malformed; what is, but is not the document that was
// asked for, is invalid.
func unmarshal(body []byte, v any) error {
	if !json.Valid(body) {
		return kindMalformed.problem("the body is not valid JSON: %v", json.Unmarshal(body, new(any)))
	}
	if body = bytes.TrimSpace(body); body[0] != '{' {
		return kindInvalid.problem("the body must be a JSON object")
	}
	if err := refuseRepeated(json.NewDecoder(bytes.NewReader(body))); err != nil {
		return err
	}
	if err := strictly(body, v); err != nil {
		return kindInvalid.problem("%v", err)
	}
	return nil
}

// refuseRepeated reads one valid JSON value and refuses a name that an object gives twice, of which encoding/json
// would silently take the last.
func refuseRepeated(d *json.Decoder) error {
	token, err := d.Token()
	if err != nil {
		return kindMalformed.problem("reading the body: %v", err)
	}
	opened, nested := token.(json.Delim)
	if !nested {
		return nil
	}
	seen := map[json.Token]bool{}
	for d.More() {
		if opened == '{' {
			name, err := d.Token()
			if err != nil {
				return kindMalformed.problem("reading the body: %v", err)
			}
			if seen[name] {
				return kindInvalid.problem("field %q is given twice", name)
			}
			seen[name] = true
		}
		if err := refuseRepeated(d); err != nil {
			return err
		}
	}
	_, err = d.Token() // the closing delimiter
	return err
}

// by returns who asks for a change, why, and on what condition.
func (h *handler) by(r *http.Request, c Claim) (rollout.By, error) {
	if c.Actor == "" {
		c.Actor = r.Header.Get(ActorHeader)
	}
	if err := checkText("actor", c.Actor, maxActor); err != nil {
		return rollout.By{}, err
	}
	if err := checkText("reason", c.Reason, maxReason); err != nil {
		return rollout.By{}, err
	}
	version, err := precondition(r)
	return rollout.By{Actor: c.Actor, Via: h.Via(r), Reason: c.Reason, If: version}, err
}

// checkText refuses what is too long for the log, and what could forge lines in it, drive a terminal or hide what it says.
func checkText(field, s string, limit int) error {
	if n := utf8.RuneCountInString(s); n > limit {
		return kindInvalid.problem("field %q has %d characters: at most %d are allowed", field, n, limit)
	}
	if !utf8.ValidString(s) {
		return kindInvalid.problem("field %q is not valid UTF-8", field)
	}
	for _, c := range s {
		if splitter.Unshown(c) {
			return kindInvalid.problem("field %q has the character %q, of those that are not shown", field, c)
		}
	}
	return nil
}
