package stream

import (
	"strconv"
)

// gRPC over HTTP/2, by the status alone: it stands in the trailer, or in the header of a response without messages.

// grpcCodes are the statuses' names, by number, as google.golang.org/grpc/codes has them.
var grpcCodes = [...]string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
	"PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
	"INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
}

// closeGRPC judges the status. Without one the stream was cut short, however it ended.
func (s *Scanner) closeGRPC(whole bool, trailer Header) {
	status := trailer.Get("Grpc-Status")
	if status == "" {
		status = s.reason
	}
	number, err := strconv.ParseUint(status, 10, 32)
	switch {
	case status == "":
		s.end = Truncated
	case err != nil || number >= uint64(len(grpcCodes)):
		s.fail("UNKNOWN")
	case number == 0 && !whole:
		s.end = Truncated
	default:
		s.end, s.code = grpcEnd(number), grpcCodes[number]
	}
}

// grpcEnd is what a status stands for. What the caller asked wrongly is not the agent's failure.
func grpcEnd(status uint64) End {
	switch grpcCodes[status] {
	case "OK":
		return Finished
	case "CANCELLED":
		return Aborted
	case "INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "UNAUTHENTICATED",
		"FAILED_PRECONDITION", "OUT_OF_RANGE", "UNIMPLEMENTED":
		return CallerError
	}
	return Failed
}
