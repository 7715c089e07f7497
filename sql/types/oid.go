package types

// OID is an object identifier as PostgreSQL assigns them. OIDs of built-in
// types are PostgreSQL's, because clients choose codecs by them.
type OID uint32

// The OIDs of the built-in types.
const (
	OIDBool        OID = 16
	OIDBytea       OID = 17
	OIDChar        OID = 18 // "char", one byte
	OIDName        OID = 19
	OIDInt8        OID = 20
	OIDInt2        OID = 21
	OIDInt2Vector  OID = 22
	OIDInt4        OID = 23
	OIDRegproc     OID = 24
	OIDText        OID = 25
	OIDOid         OID = 26
	OIDTid         OID = 27
	OIDXid         OID = 28
	OIDCid         OID = 29
	OIDOidVector   OID = 30
	OIDJSON        OID = 114
	OIDPgNodeTree  OID = 194
	OIDFloat4      OID = 700
	OIDFloat8      OID = 701
	OIDUnknown     OID = 705
	OIDCidr        OID = 650
	OIDInet        OID = 869
	OIDAclitem     OID = 1033
	OIDBpchar      OID = 1042
	OIDVarchar     OID = 1043
	OIDDate        OID = 1082
	OIDTime        OID = 1083
	OIDTimestamp   OID = 1114
	OIDTimestampTZ OID = 1184
	OIDInterval    OID = 1186
	OIDTimeTZ      OID = 1266
	OIDNumeric     OID = 1700
	OIDRefcursor   OID = 1790
	OIDUUID        OID = 2950
	OIDPgLSN       OID = 3220
	OIDJSONB       OID = 3802
	OIDXid8        OID = 5069

	OIDRegprocedure  OID = 2202
	OIDRegoper       OID = 2203
	OIDRegoperator   OID = 2204
	OIDRegclass      OID = 2205
	OIDRegtype       OID = 2206
	OIDRegconfig     OID = 3734
	OIDRegdictionary OID = 3769
	OIDRegnamespace  OID = 4089
	OIDRegrole       OID = 4096
	OIDRegcollation  OID = 4191

	OIDRecord                OID = 2249
	OIDCstring               OID = 2275
	OIDAny                   OID = 2276
	OIDAnyArray              OID = 2277
	OIDVoid                  OID = 2278
	OIDTrigger               OID = 2279
	OIDInternal              OID = 2281
	OIDAnyElement            OID = 2283
	OIDRecordArray           OID = 2287
	OIDAnyNonArray           OID = 2776
	OIDAnyEnum               OID = 3500
	OIDAnyCompatible         OID = 5077
	OIDAnyCompatibleArray    OID = 5078
	OIDAnyCompatibleNonArray OID = 5079
)
