// Command bench measures what Switchback promises in figures and prints one table: what, measured, the baseline of the
// same run, the bar, and whether it is met. It exits with 1 if a bar is missed, and with 2 if a measurement could not
// be made.
//
//	go run . [--quick] [--only overhead,cut] [--json] [--health 1m] [--outage 2m]
//
// What is judged takes its time: canaries are well for a minute before they turn bad, and those that must not be failed back
// are looked at for two. Some bars are stated for half an hour of health, and an outage may last longer; by hand:
//
//	go run . --only judge --health 30m --outage 10m
//
// One measurement is only made when asked for by name, as it takes minutes of its own: --only faults. It breaks a fleet's
// Redis in every way that there is, with visitors on five proxies all the time, and counts for each fault what it cost:
// requests, kills, steps back to an older State, and for how long proxies served by what was no longer so. Real servers
// under real Sentinels, and a real Cluster, are killed, frozen, emptied, parted and restored from old dumps.
//
// Everything runs on this machine's loopback, in processes of its own: proxies are this program again, which then is
// Caddy with Switchback in it; agents and clients are in the measuring process, so that a proxy's processor time and
// memory are the proxy's alone. All of it ends with this program, whatever ends it, and leaves nothing behind.
//
// The figures are one machine's and one moment's. Those that matter are ratios and differences against a baseline that
// was measured in the same seconds, and those still want a machine that does nothing else. It is no load generator: it
// says nothing about how many requests a second a proxy can bear.
package main
