package stream_test

import (
	"fmt"

	"github.com/switchback-proxy/switchback/stream"
)

// An answer that failed after a 200 and a few tokens.
func Example() {
	s := stream.New(stream.Auto, stream.Head{
		Status: 200,
		Header: stream.Header{"Content-Type": {"text/event-stream"}},
	})
	for _, piece := range []string{
		"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":12}}}\n\n",
		"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"Hel",
		"lo\"}}\n\n",
		"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n",
	} {
		s.Write([]byte(piece))
		fmt.Println(s.Events(), s.Payload(), s.Failed())
	}
	s.Close(true, nil)
	r := s.Report()
	fmt.Println(r.Format, r.End, r.Code, r.Tokens.In)
	// Output:
	// 1 false false
	// 1 false false
	// 2 true false
	// 3 true true
	// anthropic failed overloaded_error 12
}

// A stream that has to end now ends in a way that its client notices.
func ExampleScanner_ErrorFrame() {
	s := stream.New(stream.Auto, stream.Head{Header: stream.Header{"Content-Type": {"text/event-stream"}}})
	s.Write([]byte("data: {\"type\":\"RUN_STARTED\"}\n\ndata: {\"type\":\"TEXT_MES"))
	frame, ok := s.ErrorFrame("this version of the agent was switched off")
	fmt.Printf("%v %q\n", ok, frame)
	// Output:
	// true "\n\ndata: {\"type\":\"RUN_ERROR\",\"message\":\"this version of the agent was switched off\",\"code\":\"UNAVAILABLE\"}\n\n"
}

// An agent that failed says so as it closes.
func ExampleFrames() {
	var agent stream.Frames
	agent.Write([]byte("\x81\x05Hello\x88"))
	fmt.Println(agent.Between())
	agent.Write([]byte("\x09\x03\xf3no more"))
	code, reason, closed := agent.Closed()
	fmt.Println(code, reason, closed, code.End())
	// Output:
	// false
	// 1011 no more true failed
}
