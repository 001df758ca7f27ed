package control

import (
	"context"
	"net/http"
	"net/url"
)

// Export returns the States of the named splits as the store has them, or of all.
func (c *Client) Export(ctx context.Context, splits ...string) (Export, error) {
	return get[Export](ctx, c, "-/export", url.Values{"split": splits})
}

// Import writes an exported State over what the store has of its split.
func (c *Client) Import(ctx context.Context, split string, r ImportRequest, o ...Option) (Change, error) {
	return c.change(ctx, http.MethodPost, split, "import", r, o)
}

// Forget gives up a split that no instance configures.
func (c *Client) Forget(ctx context.Context, split string, r ForgetRequest, o ...Option) (Change, error) {
	return c.change(ctx, http.MethodPost, split, "forget", r, o)
}

// ForgetInstance takes the silent instances of a name off the list.
func (c *Client) ForgetInstance(ctx context.Context, name string) (Forgotten, error) {
	var answer Forgotten
	status, body, err := c.send(ctx, http.MethodDelete, "-/instances/"+url.PathEscape(name), nil, nil, nil)
	if err != nil {
		return answer, unanswered(err)
	}
	return answer, read(status, body, &answer)
}
