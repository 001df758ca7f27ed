package redis

import (
	"context"
	"encoding"
	"sync"

	goredis "github.com/redis/go-redis/v9"
)

// tries follows one document through the client library, which may send a command more than once: to the node that a
// Cluster redirects it to, with the script's text if the server does not know its digest, and again when a node of a
// Cluster breaks off. The library returns what became of the last try; tries keeps whether one of them was sent and had
// no answer that says whether it was carried out.
//
// It stands in the command for the document. The library asks for that when it writes the command to a connection, so
// that a try which did not come so far (nobody listened, or the login had no answer) is known never to have been sent.
type tries struct {
	doc []byte

	mu     sync.Mutex // protects following fields
	sent   bool       // the present try was at least begun to be sent
	unsure error      // why the first try that was sent in vain had no answer
}

var _ encoding.BinaryMarshaler = (*tries)(nil)

// triesKey is the key of the tries in a context.
type triesKey struct{}

// follow returns tries of a document, and the context in which the client tells them what becomes of each.
func follow(ctx context.Context, doc []byte) (context.Context, *tries) {
	t := &tries{doc: doc}
	return context.WithValue(ctx, triesKey{}, t), t
}

// MarshalBinary returns the document, and notes that it is being sent.
func (t *tries) MarshalBinary() ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sent = true
	return t.doc, nil
}

// ended notes how the present try ended. A reply is an answer if it is known to say that nothing was written; others may
// come from something in between, which lost the server's own.
func (t *tries) ended(err error) {
	t.mu.Lock()
	sent := t.sent
	t.sent = false
	t.mu.Unlock()
	if sent && err != nil && !replies(err, refusals) && !replies(err, unbegun) {
		t.doubt(err)
	}
}

// doubt notes that a try which was sent had no answer that says anything, and why.
func (t *tries) doubt(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.unsure == nil {
		t.unsure = err
	}
}

// lost returns why a try that may have been carried out had no answer; nil if there is none such.
func (t *tries) lost() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.unsure
}

// followTries makes a client tell the tries in a context how each ends. The hook has to be at the nodes of a Cluster: at
// the client for all of them, it would see the last try only.
func followTries(client goredis.UniversalClient) {
	if cluster, ok := client.(*goredis.ClusterClient); ok {
		cluster.OnNewNode(func(node *goredis.Client) { node.AddHook(tryHook{}) })
		return
	}
	client.AddHook(tryHook{})
}

// tryHook is called for each try.
type tryHook struct{}

var _ goredis.Hook = tryHook{}

// DialHook leaves dialling as it is.
func (tryHook) DialHook(next goredis.DialHook) goredis.DialHook { return next }

// ProcessHook sees one command sent.
func (tryHook) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		return noteEnd(ctx, next(ctx, cmd))
	}
}

// ProcessPipelineHook sees several sent together, as where a Cluster's slot is being moved.
func (tryHook) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []goredis.Cmder) error {
		return noteEnd(ctx, next(ctx, cmds))
	}
}

// noteEnd tells the tries in a context, if there are any, how one ended.
func noteEnd(ctx context.Context, err error) error {
	if t, ok := ctx.Value(triesKey{}).(*tries); ok {
		t.ended(err)
	}
	return err
}
