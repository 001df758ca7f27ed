package stream

// A slot is a value that some protocol's judge wants to see of an event. Paths of several protocols share a slot where
// they mean the same.
type slot uint8

const (
	noSlot         slot = iota
	slotType            // what kind of event this is
	slotError           // an error at the top level, in any shape
	slotErrorCode       // its code, text or number
	slotErrorType       // its type
	slotErrorText       // AI SDK: the error in words
	slotCode            // a code at the top level
	slotTokensIn        // tokens read
	slotTokensOut       // tokens written
	slotCacheRead       // Anthropic: tokens read from the cache, not among slotTokensIn
	slotCacheWrite      // Anthropic: tokens written to the cache, not among slotTokensIn
	slotSumIn           // AG-UI: tokens read, one number per model
	slotSumOut          // AG-UI: tokens written, one number per model
	slotObject          // OpenAI: what kind of object this is
	slotChoices         // OpenAI Chat: the choices
	slotStop            // why the model stopped
	slotContent         // something that a reader sees
	slotRespCode        // OpenAI Responses: the failed response's code
	slotReason          // OpenAI Responses: why the response is incomplete
	slotItemType        // OpenAI Responses: the kind of an output item
	slotSequence        // OpenAI Responses: the event's number
	slotOutcome         // AG-UI: how a run ended
	slotRPC             // JSON-RPC: its version
	slotID              // JSON-RPC: the request's id
	slotMethod          // JSON-RPC: the method; an answer has none
	slotResult          // JSON-RPC: the result
	slotResultType      // MCP: complete or input_required
	slotState           // A2A: the task's state
	slotKind            // A2A 0.3: what the result is
	slotUpdate          // A2A 1.0: something about a task
	slotReply           // A2A: a message instead of a task
	slotMessageID       // A2A: its id
	slotInterrupt       // LangGraph: the graph waits for somebody
	slotRunID           // LangGraph: the run's id
	slotCount
)

// Of these the text is kept; of the others the kind and the number suffice.
const textSlots uint64 = 1<<slotType | 1<<slotError | 1<<slotErrorCode | 1<<slotErrorType | 1<<slotCode | 1<<slotObject |
	1<<slotStop | 1<<slotRespCode | 1<<slotReason | 1<<slotItemType | 1<<slotOutcome | 1<<slotID | 1<<slotResultType |
	1<<slotState | 1<<slotKind

// Of these an event may hold several, which add up; of the others the first that is truthy holds.
const sumSlots uint64 = 1<<slotSumIn | 1<<slotSumOut
