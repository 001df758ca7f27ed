package stream

import (
	"fmt"
	"strings"
)

// A Format is a protocol in which an agent answers.
type Format uint8

// The formats. Auto, the zero value, asks for the format to be found; Unknown says that it was not.
const (
	Auto            Format = iota
	OpenAIChat             // OpenAI Chat Completions, and what imitates it
	OpenAIResponses        // OpenAI Responses
	Anthropic              // Anthropic Messages
	AGUI                   // AG-UI
	A2A                    // A2A 0.3 and 1.0, by JSON-RPC or REST
	MCP                    // MCP streamable HTTP
	LangGraph              // LangGraph Platform's runs
	AISDK                  // Vercel AI SDK's UI message stream
	SSE                    // server-sent events of no known protocol
	NDJSON                 // one JSON value a line, of no known protocol
	JSON                   // one JSON value
	GRPC                   // gRPC, by its status alone
	Unknown
	formatCount
)

var formatNames = [formatCount]string{
	Auto: "auto", OpenAIChat: "openai-chat", OpenAIResponses: "openai-responses", Anthropic: "anthropic",
	AGUI: "ag-ui", A2A: "a2a", MCP: "mcp", LangGraph: "langgraph", AISDK: "ai-sdk", SSE: "sse", NDJSON: "ndjson",
	JSON: "json", GRPC: "grpc", Unknown: "unknown",
}

// Formats lists everything that can be asked of [New], in the order of the constants, Auto first.
func Formats() []Format {
	all := make([]Format, 0, Unknown)
	for f := Auto; f < Unknown; f++ {
		all = append(all, f)
	}
	return all
}

// String is the name under which configuration and reports know the format.
func (f Format) String() string {
	if f < formatCount {
		return formatNames[f]
	}
	return fmt.Sprintf("Format(%d)", uint8(f))
}

// MarshalText writes the format's name. It fails for a number that is no format.
func (f Format) MarshalText() ([]byte, error) {
	if f >= formatCount {
		return nil, fmt.Errorf("format %d: there is no such format", uint8(f))
	}
	return []byte(formatNames[f]), nil
}

// UnmarshalText reads a format's name, "unknown" included, which is what reports say; whoever reads configuration
// takes the formats that [Formats] lists. An unknown name is an error that lists the known ones.
func (f *Format) UnmarshalText(text []byte) error {
	for i, name := range formatNames {
		if name == string(text) {
			*f = Format(i)
			return nil
		}
	}
	return fmt.Errorf("format %q: want one of %s", text, strings.Join(formatNames[:Unknown], ", "))
}
