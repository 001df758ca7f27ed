// Package control is how people and programs see and change what a fleet does: a net/http handler, the JSON that it
// speaks, and a typed client for it. The command line, the dashboard and a script with curl all come through here, so
// each can do what the others can. It decides nothing: what a change means, and whether it is allowed, is package
// rollout's business; who may connect is the listener's.
//
//	GET   /splits/v1/                    every split in short, and the store            List
//	GET   /splits/v1/{split}             all that this instance knows of a split        Status
//	GET   /splits/v1/{split}/events      the audit log, newest first (?limit=50)        Events
//	                                     with ?after=CURSOR oldest first, with ?follow=1 on and on: JSON lines
//	GET   /splits/v1/{split}/why         why the split is as it is, in sentences        Why
//	GET   /splits/v1/{split}/drained     can ?variant=green be deleted?                 Drained
//	POST  /splits/v1/{split}/start       {"plan": {…}}: begin a rollout by a plan       Change
//	POST  /splits/v1/{split}/pause       {}, and resume                                 Change
//	POST  /splits/v1/{split}/step        {"step": 4}: approve the next step             Change
//	POST  /splits/v1/{split}/promote     {"full": false}: the canary gets everything    Change
//	POST  /splits/v1/{split}/abort       {}: its share goes back to stable              Change
//	POST  /splits/v1/{split}/rollback    {}: take the latest promotion back             Change
//	POST  /splits/v1/{split}/retry       {"reason": "…"}: begin again after a failback  Change
//	POST  /splits/v1/{split}/switch      {"to": "green"}: everybody at once             Change
//	POST  /splits/v1/{split}/switch-back {}                                             Change
//	POST  /splits/v1/{split}/retire      {"variant": "blue"}: it is gone                Change
//	POST  /splits/v1/{split}/drill       {"users": ["test-1"]}: rehearse a failback     Drill
//	POST  /splits/v1/{split}/preflight   {}: could a rollout begin? Sends test messages Preflight
//	PATCH /splits/v1/{split}/weights     {"weights": {"green": "10%"}}                  Change
//	POST  /splits/v1/{split}/kill        {"variant": "green", "level": "cut"}           Change
//	POST  /splits/v1/{split}/revive      {"ids": ["k1"]} or {"variant": "green"}        Change
//	POST  /splits/v1/{split}/rename      {"from": "blue", "to": "blue2"}                Change
//	POST  /splits/v1/{split}/adopt       {"stable": "blue", "canary": "green"}          Change
//	POST  /splits/v1/{split}/policy      {}: judge by the file's policy from now on     Change
//	POST  /splits/v1/{split}/forget      {}: give up a split that nobody configures     Change
//	POST  /splits/v1/{split}/import      {"state": {…}}: write an exported State back   Change
//	GET   /splits/v1/-/export            States as the store has them (?split=a)        Export
//	GET   /splits/v1/-/instances         the fleet's members and what they have applied Instances
//	GET   /splits/v1/-/targets           who is told of events, and how that goes       Targets
//	DELETE /splits/v1/-/instances/{name} take a silent member off the list              Forgotten
//	GET   /splits/v1/-/ready             200 or 503                                     Readiness
//
// A split's name never begins with "-", so the paths under /-/ can hide none.
//
// Every change takes "reason" and "actor" in its body. The actor is a claim (the header X-Switchback-Actor makes it
// too); how the call came in, as far as it was verified, is recorded beside it and is not the caller's to say. The
// content type of a change must be application/json, which a page of another site cannot send unasked.
//
// A split's ETag is its revision and change id. A change with If-Match is refused with 412 if somebody else was
// faster. With ?wait=2s a change is answered once all members have applied it, or after two seconds, and the answer
// says which have not, and how long they have been unseen. A kill that could not be written to the store yet holds all
// the same and is answered with 202. A change that was sent to the store, whose answer was lost, is a problem of the kind
// "unconfirmed": it may have been made.
//
// Errors are RFC 9457 problem documents: see [Problem]. openapi.yaml says all this to machines; a test keeps it true.
package control

// Prefix is where the handler lives. It answers paths that begin with it, and 404 for all others.
const Prefix = "/splits/v1/"

// ActorHeader names the header in which a caller may claim who they are; the body's "actor" outranks it.
const ActorHeader = "X-Switchback-Actor"
