// Package fleet runs a fleet in virtual time: real [rollout.Controller]s over one real store, with everything that can
// befall them: a store that is away, hangs, is slow or loses its answers; proxies that are cut off, are killed and come
// back; clocks that are off; agents that fail. Requests are decided and counted as a proxy does it, by the Views of the
// instance that they come to.
//
// It must be used within a testing/synctest bubble: it sleeps for virtual seconds. sim's stories are told with it and its
// random schedules played. There are no sockets in it: end-to-end tests have those.
package fleet
