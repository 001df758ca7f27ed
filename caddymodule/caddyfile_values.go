package caddymodule

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/switchback-proxy/switchback/health"
	"github.com/switchback-proxy/switchback/splitter"
)

func errNoDuration(s string) error {
	return fmt.Errorf("%q: it must be a duration longer than 0s, such as 30s or 1m30s", s)
}

// parseShare reads a percentage, in the syntax of weights, as thousandths of a percent: "0.5%" is 500. Integers keep
// 95 % of success and 5 % of errors the same limit.
func parseShare(s string) (int, error) {
	w, err := splitter.ParseWeight(s)
	if err != nil {
		return 0, fmt.Errorf("%q: it must be a percentage from 0%% to 100%% with at most three decimals, such as 5%%", s)
	}
	return int(w), nil
}

// share turns thousandths of a percent into a fraction of 1.
func share(thousandths int) float64 { return float64(thousandths) / float64(splitter.Full) }

// parsePoints reads percentage points, "0.2pp", as a share: 0.002. A percentage is refused, as 0.2 % of what it is added to
// would be much less.
func parsePoints(s string) (float64, error) {
	if number, ok := strings.CutSuffix(s, "pp"); ok {
		if thousandths, err := parseShare(number + "%"); err == nil {
			return share(thousandths), nil
		}
	}
	if number, ok := strings.CutSuffix(s, "%"); ok {
		if _, err := parseShare(s); err == nil {
			return 0, fmt.Errorf("%q: it is in percentage points, as it is added to a rate: write %spp", s, number)
		}
	}
	return 0, fmt.Errorf("%q: it must be percentage points from 0pp to 50pp with at most three decimals, such as 0.2pp", s)
}

// parseNumber reads a number above zero, of digits and a decimal point.
func parseNumber(s string) (float64, error) {
	number, err := strconv.ParseFloat(s, 64)
	if err != nil || number == 0 || strings.Trim(s, "0123456789.") != "" {
		return 0, fmt.Errorf("%q: it must be a number above 0, such as 1.2", s)
	}
	return number, nil
}

// parseProbability reads "0.01", or "1%", which is the same.
func parseProbability(s string) (float64, error) {
	if thousandths, err := parseShare(s); err == nil && thousandths > 0 {
		return share(thousandths), nil
	}
	number, err := parseNumber(s)
	if err != nil {
		return 0, fmt.Errorf("%q: it must be a probability above 0, such as 0.01 or 1%%", s)
	}
	return number, nil
}

// parseTrickleShare reads a percentage above zero as a share.
func parseTrickleShare(s string) (float64, error) {
	thousandths, err := parseShare(s)
	switch {
	case err != nil:
		return 0, err
	case thousandths == 0:
		return 0, fmt.Errorf("%s keeps nothing; to say that, write: trickle off", s)
	}
	return share(thousandths), nil
}

// parseQuantile reads "p95" as 0.95 and "p99.9" as 0.999.
func parseQuantile(s string) (float64, error) {
	number, ok := strings.CutPrefix(s, "p")
	thousandths, err := parseShare(number + "%")
	if !ok || err != nil || thousandths == 0 || thousandths == int(splitter.Full) {
		return 0, fmt.Errorf("quantile %q: it must be p and a number above 0 and below 100, such as p95 or p99.9", s)
	}
	return share(thousandths), nil
}

// parseQuantileLimit reads "p95" and "8s".
func parseQuantileLimit(quantile, limit string) (*health.QuantileLimit, error) {
	q, err := parseQuantile(quantile)
	if err != nil {
		return nil, err
	}
	longest, err := parseDuration(limit)
	if err != nil {
		return nil, err
	}
	return &health.QuantileLimit{Quantile: q, Max: health.Duration(longest)}, nil
}
