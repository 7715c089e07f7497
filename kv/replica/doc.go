// Package replica is one replica of one range: it turns batches into reads of
// the state engine and commands in the log, and commands into state.
//
// # Life of a request
//
//	Send: bounds, generation -> lease covers the timestamp (I6..I8)
//	  -> latches -> Participant.Sequence -> Participant.Evaluate
//	       | (conflict: drop latches, Wait, again)
//	  read:  timestamp cache <- read timestamp; drop latches; answer
//	  write: propose the evaluated writes; wait until applied here;
//	         drop latches; Participant.Finish (locks fall); answer
//
// All of it runs on the caller's goroutine.
package replica
