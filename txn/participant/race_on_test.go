//go:build race

package participant

const raceEnabled = true
