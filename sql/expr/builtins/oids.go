package builtins

import "github.com/spanlite/spanlite/sql/types"

func functionOIDs() map[string]types.OID { return nil }
func operatorOIDs() map[string]types.OID { return nil }
