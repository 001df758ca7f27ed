package splitcmd

import (
	"fmt"
	"strconv"
	"time"

	"github.com/switchback-proxy/switchback/health"
)

// evidenceHeader names the columns that evidenceCells fills.
var evidenceHeader = []string{"REQUESTS", "ERRORS", "MEAN", "P95", "TTFT P95", "EXCLUDED"}

// evidenceCells shows a variant's evidence of the window. Without requests there is nothing to show, which is not the
// same as zero errors; what latencies there are then is the age of excluded ones.
func evidenceCells(s health.Summary) []cell {
	var excluded uint64
	for _, n := range s.Excluded {
		excluded += n
	}
	unknown := cell{"-", plain}
	row := []cell{{strconv.FormatUint(s.Requests, 10), plain}, unknown, unknown, unknown, unknown, {strconv.FormatUint(excluded, 10), plain}}
	if s.Requests > 0 {
		row[1], row[2] = errorRate(s), cell{mean(s), plain}
		row[3], row[4] = cell{orUnknown(s.Latency.P95), plain}, cell{orUnknown(s.TTFB.P95), plain}
	}
	return row
}

// errorRate shows the share of failures, and how many there are.
func errorRate(s health.Summary) cell {
	if s.Failures == 0 {
		return cell{"0%", plain}
	}
	return cell{fmt.Sprintf("%.3g%% (%d)", s.ErrorRate*100, s.Failures), doubt}
}

// mean shows the mean latency. It comes in whole milliseconds, so zero is a fast agent wherever latencies are known.
func mean(s health.Summary) string {
	if s.MeanLatency == 0 && s.Latency.P95 > 0 {
		return "<1ms"
	}
	return orUnknown(s.MeanLatency)
}

// orUnknown shows a duration, or a dash for one that nothing is known of.
func orUnknown(d health.Duration) string {
	if d == 0 {
		return "-"
	}
	return duration(time.Duration(d))
}
