// Package alert tells people of events: it turns a store.Event into words and sends them to a chat, a pager, a mailbox or a
// webhook. It keeps nothing and tries once: package rollout claims events from the outbox, calls a target until it takes
// them, and counts. Do not use it for what a program is to decide by: that is the API's events.
package alert
