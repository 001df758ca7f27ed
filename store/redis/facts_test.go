package redis

import (
	"strings"
	"testing"
)

func TestWarning(t *testing.T) {
	const well = "redis_version:7.0.15\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\n"
	for name, tt := range map[string]struct {
		info      string
		save      string
		saveKnown bool
		want      []string // parts of the warning, in order; none: no warning
	}{
		"all is well":           {info: well},
		"nothing is told":       {info: "# Server\r\n"},
		"limited, evicts none":  {info: with(well, "maxmemory:0", "maxmemory:1000")},
		"evicts, but no limit":  {info: with(well, "noeviction", "allkeys-lru")},
		"evicts":                {info: with(well, "maxmemory:0", "maxmemory:9", "noeviction", "allkeys-lru"), want: []string{"kills among them", "allkeys-lru", "noeviction"}},
		"evicts what expires":   {info: with(well, "maxmemory:0", "maxmemory:9", "noeviction", "volatile-ttl"), want: []string{"evidence", "volatile-ttl"}},
		"snapshots only":        {info: with(well, "aof_enabled:1", "aof_enabled:0"), save: "3600 1", saveKnown: true},
		"keeps nothing":         {info: with(well, "aof_enabled:1", "aof_enabled:0"), saveKnown: true, want: []string{"keeps nothing on disk", "appendonly"}},
		"no AOF, CONFIG denied": {info: with(well, "aof_enabled:1", "aof_enabled:0"), want: []string{"could not be read", "appendonly"}},
		"old":                   {info: with(well, "7.0.15", "6.0.16"), want: []string{"6.0.16", "6.2"}},
		"just new enough":       {info: with(well, "7.0.15", "6.2.0")},
		"major alone is newer":  {info: with(well, "7.0.15", "8.0.0")},
		"Valkey":                {info: with(well, "7.0.15", "7.2.4\r\nserver_name:valkey")},
		"odd version":           {info: with(well, "7.0.15", "unstable")},
		"several": {info: with(well, "maxmemory:0", "maxmemory:9", "noeviction", "allkeys-lru", "aof_enabled:1", "aof_enabled:0"),
			saveKnown: true, want: []string{"throws away", "; ", "keeps nothing on disk"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := facts{info: parseInfo(tt.info), save: tt.save, saveKnown: tt.saveKnown}.warning()
			if (got == "") != (len(tt.want) == 0) {
				t.Fatalf("got %q, want one with %q", got, tt.want)
			}
			rest := got
			for _, part := range tt.want {
				var found bool
				if _, rest, found = strings.Cut(rest, part); !found {
					t.Errorf("got %q, want %q in it, in order", got, tt.want)
				}
			}
		})
	}
}

// with replaces text in pairs of old and new.
func with(text string, oldnew ...string) string { return strings.NewReplacer(oldnew...).Replace(text) }

// FuzzParseInfo: a server's words about itself are read, whatever they are.
func FuzzParseInfo(f *testing.F) {
	f.Add("# Memory\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n\r\nredis_version:6.0")
	f.Fuzz(func(t *testing.T, text string) {
		for field := range parseInfo(text) {
			if strings.ContainsAny(field, ":\n") {
				t.Errorf("parseInfo(%q): got field %q", text, field)
			}
		}
		_ = facts{info: parseInfo(text)}.warning()
	})
}
