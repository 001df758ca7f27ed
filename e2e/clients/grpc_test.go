//go:build unix

package clients

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// grpcAgent plays an agent that streams words by gRPC: the path /grpc/SCENE/Say is the method Say of a service that
// is named after the scene. For one whose calls end inside a message, no scene is one in which a server behaves.
func grpcAgent(t *testing.T, name string) http.Handler {
	server := grpc.NewServer(grpc.UnknownServiceHandler(playGRPC))
	t.Cleanup(server.Stop)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := scene(r.PathValue("scene"))
		switch {
		case name == "grpc-torn":
			playBadGRPC(w, r, s, 3)
		case s == sceneBroken, s == sceneUnended:
			playBadGRPC(w, r, s, 0)
		default:
			server.ServeHTTP(w, r)
		}
	})
}

// playGRPC plays the scenes in which the server behaves. A unary call gets its one word.
func playGRPC(_ any, stream grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(stream)
	unary := strings.HasPrefix(method, "/grpc-unary/")
	word := shortText
	if unary {
		word = wholeText
	}
	if err := stream.SendMsg(wrapperspb.String(word)); err != nil {
		return err
	}
	switch scene(path.Base(path.Dir(method))) {
	case sceneError:
		return status.Error(codes.Unavailable, "no more")
	case sceneStalled:
		<-stream.Context().Done()
		return stream.Context().Err()
	case sceneCut:
		cues.give(method)
		<-stream.Context().Done()
		return stream.Context().Err()
	}
	if unary {
		return nil
	}
	return stream.SendMsg(wrapperspb.String(wholeText[len(shortText):]))
}

// playBadGRPC does what no gRPC server does by itself: it ends a stream without its status, or holds it open, after some
// bytes of a second message.
func playBadGRPC(w http.ResponseWriter, r *http.Request, s scene, torn int) {
	word, err := proto.Marshal(wrapperspb.String(shortText))
	if err != nil {
		panic(err) // a constant
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return // nobody waits for an answer
	}
	w.Header().Set("Content-Type", "application/grpc")
	message := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(word))), word...) // not compressed, and the length
	_, _ = w.Write(append(message, message[:torn]...))
	_ = http.NewResponseController(w).Flush()
	switch s {
	case sceneBroken:
		panic(http.ErrAbortHandler)
	case sceneStalled:
		<-r.Context().Done()
	case sceneCut:
		cues.give(r.URL.Path)
		<-r.Context().Done()
	}
}

// grpcClient is grpc-go's.
type grpcClient struct{ unary bool }

// talk listens to a stream of words, or asks for one. Each talk has a connection of its own.
func (c grpcClient) talk(t *testing.T, base string) heard {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient(u.Host, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), clientPatience)
	defer cancel()
	if c.unary {
		word := new(wrapperspb.StringValue)
		err := conn.Invoke(ctx, u.Path+"/Say", new(wrapperspb.StringValue), word)
		return heardUntil(ctx, word.Value, err == nil, err)
	}
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, u.Path+"/Say")
	if err == nil {
		err = stream.CloseSend()
	}
	var text string
	for err == nil {
		word := new(wrapperspb.StringValue)
		if err = stream.RecvMsg(word); err == nil {
			text += word.Value
		}
	}
	return heardUntil(ctx, text, errors.Is(err, io.EOF), err)
}

// heardUntil is what was heard until an error, which may be no more than how the library says that the agent is done.
func heardUntil(ctx context.Context, text string, done bool, err error) heard {
	switch {
	case done:
		return heard{Saw: sawSuccess, Text: text}
	case ctx.Err() != nil:
		return heard{Saw: sawSilence}
	}
	return heard{Saw: sawError, Detail: err.Error()}
}
