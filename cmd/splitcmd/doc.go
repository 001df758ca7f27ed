// Package splitcmd adds the command `split` to Caddy's command line: a thin face over api/control that shows what a
// fleet does and changes it. Importing the package registers the command; it has nothing else to offer. Programs use
// the client of api/control instead.
//
//	split list
//	split status    assistant [--watch]
//	split status    assistant --wait --timeout 30m
//	split preflight assistant
//	split drill     assistant test-1
//	split start     assistant --reason "v8"
//	split step      assistant 4
//	split why       assistant
//	split weight    assistant green=10% --reason "first tenth"
//	split kill      assistant green --level cut --reason "leaks prompts"
//	split revive    assistant green
//	split events    assistant --follow
//	split targets
//	split instances
//	split drained   assistant green --wait 30m
//	split rename    assistant blue=azure
//	split adopt     assistant --config Caddyfile
//	split policy apply assistant
//	split export    -o splits.json
//	split import    splits.json --dry-run
//	split forget    assistant
//	split forget    --instance proxy-7
//
// A change waits until every instance of the fleet has applied it (--wait), and the exit code says what became of it:
//
//	0  done; for a change: applied by every instance
//	1  the call is wrong, or something else failed
//	2  refused: in cooldown, against a precondition, or not allowed as things are; nothing was changed
//	3  done, but not confirmed by every instance: what is missing is named. Or it was asked for and no answer came: it
//	   may have been done
//	4  the proxy or its store cannot be reached; nothing was changed
//	5  drained: the variant is still in use
//	6  drained: whether the variant is still in use is not known
//	7  preflight, drill: not passed
//
// `status --wait` has codes of its own: 0 promoted, 2 failed back, 3 paused, 4 the time is up, 5 aborted or rolled back.
//
// With --json exactly one document is printed, be it an answer or what went wrong as a problem document, mistakes in the
// call included; `export -o` writes it to the file instead, a watch prints one for each look, and
// `events --follow` and `--export` a line for each event.
package splitcmd
