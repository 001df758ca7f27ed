package control

import (
	"context"
	"net/http"
	"net/url"

	"github.com/switchback-proxy/switchback/rollout"
)

// Drained is the answer of GET {split}/drained?variant=green: whether the variant can be deleted.
type Drained = rollout.DrainStatus

// The results, for callers that know the API and not package rollout.
const (
	ResultDrained = rollout.Drained
	ResultInUse   = rollout.DrainInUse
	ResultUnknown = rollout.DrainUnknown
)

// drained answers GET {split}/drained.
func (h *handler) drained(w http.ResponseWriter, r *http.Request, split string) error {
	variant := r.URL.Query().Get("variant")
	if variant == "" {
		return kindMalformed.problem("no variant is named: ?variant=NAME")
	}
	status, err := h.Fleet.Drained(r.Context(), split, variant)
	if err != nil {
		return err
	}
	return h.answer(w, r, http.StatusOK, status)
}

// Drained says whether a variant can be deleted: whether nothing leads to it any more, on any member of the fleet.
func (c *Client) Drained(ctx context.Context, split, variant string) (Drained, error) {
	return get[Drained](ctx, c, url.PathEscape(split)+"/drained", url.Values{"variant": {variant}})
}
