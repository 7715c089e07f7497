package types

func appendText(dst []byte, t *T, d Datum, s *Settings) []byte { return dst }
func parseText(t *T, text string, s *Settings) (Datum, error)  { return Null, nil }
