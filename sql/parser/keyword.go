package parser

// The keywords of PostgreSQL 15, as pg_get_keywords() lists them. What a keyword
// may be used for besides its own rules:
//
//	unreserved    any name
//	columnName    a column, table or alias, but not a function or type
//	typeFuncName  a function or type, but not a column
//	reserved      nothing but a label after AS
//
// Those marked bare are also labels without AS.

type keyword uint16

type keywordClass uint8

const (
	unreserved keywordClass = iota
	columnName
	typeFuncName
	reserved
)

const (
	noKeyword keyword = iota
	kwAbort
	kwAbsolute
	kwAccess
	kwAction
	kwAdd
	kwAdmin
	kwAfter
	kwAggregate
	kwAll
	kwAlso
	kwAlter
	kwAlways
	kwAnalyse
	kwAnalyze
	kwAnd
	kwAny
	kwArray
	kwAs
	kwAsc
	kwAsensitive
	kwAssertion
	kwAssignment
	kwAsymmetric
	kwAt
	kwAtomic
	kwAttach
	kwAttribute
	kwAuthorization
	kwBackward
	kwBefore
	kwBegin
	kwBetween
	kwBigint
	kwBinary
	kwBit
	kwBoolean
	kwBoth
	kwBreadth
	kwBy
	kwCache
	kwCall
	kwCalled
	kwCascade
	kwCascaded
	kwCase
	kwCast
	kwCatalog
	kwChain
	kwChar
	kwCharacter
	kwCharacteristics
	kwCheck
	kwCheckpoint
	kwClass
	kwClose
	kwCluster
	kwCoalesce
	kwCollate
	kwCollation
	kwColumn
	kwColumns
	kwComment
	kwComments
	kwCommit
	kwCommitted
	kwCompression
	kwConcurrently
	kwConfiguration
	kwConflict
	kwConnection
	kwConstraint
	kwConstraints
	kwContent
	kwContinue
	kwConversion
	kwCopy
	kwCost
	kwCreate
	kwCross
	kwCsv
	kwCube
	kwCurrent
	kwCurrentCatalog
	kwCurrentDate
	kwCurrentRole
	kwCurrentSchema
	kwCurrentTime
	kwCurrentTimestamp
	kwCurrentUser
	kwCursor
	kwCycle
	kwData
	kwDatabase
	kwDay
	kwDeallocate
	kwDec
	kwDecimal
	kwDeclare
	kwDefault
	kwDefaults
	kwDeferrable
	kwDeferred
	kwDefiner
	kwDelete
	kwDelimiter
	kwDelimiters
	kwDepends
	kwDepth
	kwDesc
	kwDetach
	kwDictionary
	kwDisable
	kwDiscard
	kwDistinct
	kwDo
	kwDocument
	kwDomain
	kwDouble
	kwDrop
	kwEach
	kwElse
	kwEnable
	kwEncoding
	kwEncrypted
	kwEnd
	kwEnum
	kwEscape
	kwEvent
	kwExcept
	kwExclude
	kwExcluding
	kwExclusive
	kwExecute
	kwExists
	kwExplain
	kwExpression
	kwExtension
	kwExternal
	kwExtract
	kwFalse
	kwFamily
	kwFetch
	kwFilter
	kwFinalize
	kwFirst
	kwFloat
	kwFollowing
	kwFor
	kwForce
	kwForeign
	kwForward
	kwFreeze
	kwFrom
	kwFull
	kwFunction
	kwFunctions
	kwGenerated
	kwGlobal
	kwGrant
	kwGranted
	kwGreatest
	kwGroup
	kwGrouping
	kwGroups
	kwHandler
	kwHaving
	kwHeader
	kwHold
	kwHour
	kwIdentity
	kwIf
	kwIlike
	kwImmediate
	kwImmutable
	kwImplicit
	kwImport
	kwIn
	kwInclude
	kwIncluding
	kwIncrement
	kwIndex
	kwIndexes
	kwInherit
	kwInherits
	kwInitially
	kwInline
	kwInner
	kwInout
	kwInput
	kwInsensitive
	kwInsert
	kwInstead
	kwInt
	kwInteger
	kwIntersect
	kwInterval
	kwInto
	kwInvoker
	kwIs
	kwIsnull
	kwIsolation
	kwJoin
	kwKey
	kwLabel
	kwLanguage
	kwLarge
	kwLast
	kwLateral
	kwLeading
	kwLeakproof
	kwLeast
	kwLeft
	kwLevel
	kwLike
	kwLimit
	kwListen
	kwLoad
	kwLocal
	kwLocaltime
	kwLocaltimestamp
	kwLocation
	kwLock
	kwLocked
	kwLogged
	kwMapping
	kwMatch
	kwMatched
	kwMaterialized
	kwMaxvalue
	kwMerge
	kwMethod
	kwMinute
	kwMinvalue
	kwMode
	kwMonth
	kwMove
	kwName
	kwNames
	kwNational
	kwNatural
	kwNchar
	kwNew
	kwNext
	kwNfc
	kwNfd
	kwNfkc
	kwNfkd
	kwNo
	kwNone
	kwNormalize
	kwNormalized
	kwNot
	kwNothing
	kwNotify
	kwNotnull
	kwNowait
	kwNull
	kwNullif
	kwNulls
	kwNumeric
	kwObject
	kwOf
	kwOff
	kwOffset
	kwOids
	kwOld
	kwOn
	kwOnly
	kwOperator
	kwOption
	kwOptions
	kwOr
	kwOrder
	kwOrdinality
	kwOthers
	kwOut
	kwOuter
	kwOver
	kwOverlaps
	kwOverlay
	kwOverriding
	kwOwned
	kwOwner
	kwParallel
	kwParameter
	kwParser
	kwPartial
	kwPartition
	kwPassing
	kwPassword
	kwPlacing
	kwPlans
	kwPolicy
	kwPosition
	kwPreceding
	kwPrecision
	kwPrepare
	kwPrepared
	kwPreserve
	kwPrimary
	kwPrior
	kwPrivileges
	kwProcedural
	kwProcedure
	kwProcedures
	kwProgram
	kwPublication
	kwQuote
	kwRange
	kwRead
	kwReal
	kwReassign
	kwRecheck
	kwRecursive
	kwRef
	kwReferences
	kwReferencing
	kwRefresh
	kwReindex
	kwRelative
	kwRelease
	kwRename
	kwRepeatable
	kwReplace
	kwReplica
	kwReset
	kwRestart
	kwRestrict
	kwReturn
	kwReturning
	kwReturns
	kwRevoke
	kwRight
	kwRole
	kwRollback
	kwRollup
	kwRoutine
	kwRoutines
	kwRow
	kwRows
	kwRule
	kwSavepoint
	kwSchema
	kwSchemas
	kwScroll
	kwSearch
	kwSecond
	kwSecurity
	kwSelect
	kwSequence
	kwSequences
	kwSerializable
	kwServer
	kwSession
	kwSessionUser
	kwSet
	kwSetof
	kwSets
	kwShare
	kwShow
	kwSimilar
	kwSimple
	kwSkip
	kwSmallint
	kwSnapshot
	kwSome
	kwSql
	kwStable
	kwStandalone
	kwStart
	kwStatement
	kwStatistics
	kwStdin
	kwStdout
	kwStorage
	kwStored
	kwStrict
	kwStrip
	kwSubscription
	kwSubstring
	kwSupport
	kwSymmetric
	kwSysid
	kwSystem
	kwTable
	kwTables
	kwTablesample
	kwTablespace
	kwTemp
	kwTemplate
	kwTemporary
	kwText
	kwThen
	kwTies
	kwTime
	kwTimestamp
	kwTo
	kwTrailing
	kwTransaction
	kwTransform
	kwTreat
	kwTrigger
	kwTrim
	kwTrue
	kwTruncate
	kwTrusted
	kwType
	kwTypes
	kwUescape
	kwUnbounded
	kwUncommitted
	kwUnencrypted
	kwUnion
	kwUnique
	kwUnknown
	kwUnlisten
	kwUnlogged
	kwUntil
	kwUpdate
	kwUser
	kwUsing
	kwVacuum
	kwValid
	kwValidate
	kwValidator
	kwValue
	kwValues
	kwVarchar
	kwVariadic
	kwVarying
	kwVerbose
	kwVersion
	kwView
	kwViews
	kwVolatile
	kwWhen
	kwWhere
	kwWhitespace
	kwWindow
	kwWith
	kwWithin
	kwWithout
	kwWork
	kwWrapper
	kwWrite
	kwXml
	kwXmlattributes
	kwXmlconcat
	kwXmlelement
	kwXmlexists
	kwXmlforest
	kwXmlnamespaces
	kwXmlparse
	kwXmlpi
	kwXmlroot
	kwXmlserialize
	kwXmltable
	kwYear
	kwYes
	kwZone
	kwCount
)

type keywordInfo struct {
	word  string
	class keywordClass
	bare  bool
}

var keywords = [kwCount]keywordInfo{
	kwAbort:            {"abort", unreserved, true},
	kwAbsolute:         {"absolute", unreserved, true},
	kwAccess:           {"access", unreserved, true},
	kwAction:           {"action", unreserved, true},
	kwAdd:              {"add", unreserved, true},
	kwAdmin:            {"admin", unreserved, true},
	kwAfter:            {"after", unreserved, true},
	kwAggregate:        {"aggregate", unreserved, true},
	kwAll:              {"all", reserved, true},
	kwAlso:             {"also", unreserved, true},
	kwAlter:            {"alter", unreserved, true},
	kwAlways:           {"always", unreserved, true},
	kwAnalyse:          {"analyse", reserved, true},
	kwAnalyze:          {"analyze", reserved, true},
	kwAnd:              {"and", reserved, true},
	kwAny:              {"any", reserved, true},
	kwArray:            {"array", reserved, false},
	kwAs:               {"as", reserved, false},
	kwAsc:              {"asc", reserved, true},
	kwAsensitive:       {"asensitive", unreserved, true},
	kwAssertion:        {"assertion", unreserved, true},
	kwAssignment:       {"assignment", unreserved, true},
	kwAsymmetric:       {"asymmetric", reserved, true},
	kwAt:               {"at", unreserved, true},
	kwAtomic:           {"atomic", unreserved, true},
	kwAttach:           {"attach", unreserved, true},
	kwAttribute:        {"attribute", unreserved, true},
	kwAuthorization:    {"authorization", typeFuncName, true},
	kwBackward:         {"backward", unreserved, true},
	kwBefore:           {"before", unreserved, true},
	kwBegin:            {"begin", unreserved, true},
	kwBetween:          {"between", columnName, true},
	kwBigint:           {"bigint", columnName, true},
	kwBinary:           {"binary", typeFuncName, true},
	kwBit:              {"bit", columnName, true},
	kwBoolean:          {"boolean", columnName, true},
	kwBoth:             {"both", reserved, true},
	kwBreadth:          {"breadth", unreserved, true},
	kwBy:               {"by", unreserved, true},
	kwCache:            {"cache", unreserved, true},
	kwCall:             {"call", unreserved, true},
	kwCalled:           {"called", unreserved, true},
	kwCascade:          {"cascade", unreserved, true},
	kwCascaded:         {"cascaded", unreserved, true},
	kwCase:             {"case", reserved, true},
	kwCast:             {"cast", reserved, true},
	kwCatalog:          {"catalog", unreserved, true},
	kwChain:            {"chain", unreserved, true},
	kwChar:             {"char", columnName, false},
	kwCharacter:        {"character", columnName, false},
	kwCharacteristics:  {"characteristics", unreserved, true},
	kwCheck:            {"check", reserved, true},
	kwCheckpoint:       {"checkpoint", unreserved, true},
	kwClass:            {"class", unreserved, true},
	kwClose:            {"close", unreserved, true},
	kwCluster:          {"cluster", unreserved, true},
	kwCoalesce:         {"coalesce", columnName, true},
	kwCollate:          {"collate", reserved, true},
	kwCollation:        {"collation", typeFuncName, true},
	kwColumn:           {"column", reserved, true},
	kwColumns:          {"columns", unreserved, true},
	kwComment:          {"comment", unreserved, true},
	kwComments:         {"comments", unreserved, true},
	kwCommit:           {"commit", unreserved, true},
	kwCommitted:        {"committed", unreserved, true},
	kwCompression:      {"compression", unreserved, true},
	kwConcurrently:     {"concurrently", typeFuncName, true},
	kwConfiguration:    {"configuration", unreserved, true},
	kwConflict:         {"conflict", unreserved, true},
	kwConnection:       {"connection", unreserved, true},
	kwConstraint:       {"constraint", reserved, true},
	kwConstraints:      {"constraints", unreserved, true},
	kwContent:          {"content", unreserved, true},
	kwContinue:         {"continue", unreserved, true},
	kwConversion:       {"conversion", unreserved, true},
	kwCopy:             {"copy", unreserved, true},
	kwCost:             {"cost", unreserved, true},
	kwCreate:           {"create", reserved, false},
	kwCross:            {"cross", typeFuncName, true},
	kwCsv:              {"csv", unreserved, true},
	kwCube:             {"cube", unreserved, true},
	kwCurrent:          {"current", unreserved, true},
	kwCurrentCatalog:   {"current_catalog", reserved, true},
	kwCurrentDate:      {"current_date", reserved, true},
	kwCurrentRole:      {"current_role", reserved, true},
	kwCurrentSchema:    {"current_schema", typeFuncName, true},
	kwCurrentTime:      {"current_time", reserved, true},
	kwCurrentTimestamp: {"current_timestamp", reserved, true},
	kwCurrentUser:      {"current_user", reserved, true},
	kwCursor:           {"cursor", unreserved, true},
	kwCycle:            {"cycle", unreserved, true},
	kwData:             {"data", unreserved, true},
	kwDatabase:         {"database", unreserved, true},
	kwDay:              {"day", unreserved, false},
	kwDeallocate:       {"deallocate", unreserved, true},
	kwDec:              {"dec", columnName, true},
	kwDecimal:          {"decimal", columnName, true},
	kwDeclare:          {"declare", unreserved, true},
	kwDefault:          {"default", reserved, true},
	kwDefaults:         {"defaults", unreserved, true},
	kwDeferrable:       {"deferrable", reserved, true},
	kwDeferred:         {"deferred", unreserved, true},
	kwDefiner:          {"definer", unreserved, true},
	kwDelete:           {"delete", unreserved, true},
	kwDelimiter:        {"delimiter", unreserved, true},
	kwDelimiters:       {"delimiters", unreserved, true},
	kwDepends:          {"depends", unreserved, true},
	kwDepth:            {"depth", unreserved, true},
	kwDesc:             {"desc", reserved, true},
	kwDetach:           {"detach", unreserved, true},
	kwDictionary:       {"dictionary", unreserved, true},
	kwDisable:          {"disable", unreserved, true},
	kwDiscard:          {"discard", unreserved, true},
	kwDistinct:         {"distinct", reserved, true},
	kwDo:               {"do", reserved, true},
	kwDocument:         {"document", unreserved, true},
	kwDomain:           {"domain", unreserved, true},
	kwDouble:           {"double", unreserved, true},
	kwDrop:             {"drop", unreserved, true},
	kwEach:             {"each", unreserved, true},
	kwElse:             {"else", reserved, true},
	kwEnable:           {"enable", unreserved, true},
	kwEncoding:         {"encoding", unreserved, true},
	kwEncrypted:        {"encrypted", unreserved, true},
	kwEnd:              {"end", reserved, true},
	kwEnum:             {"enum", unreserved, true},
	kwEscape:           {"escape", unreserved, true},
	kwEvent:            {"event", unreserved, true},
	kwExcept:           {"except", reserved, false},
	kwExclude:          {"exclude", unreserved, true},
	kwExcluding:        {"excluding", unreserved, true},
	kwExclusive:        {"exclusive", unreserved, true},
	kwExecute:          {"execute", unreserved, true},
	kwExists:           {"exists", columnName, true},
	kwExplain:          {"explain", unreserved, true},
	kwExpression:       {"expression", unreserved, true},
	kwExtension:        {"extension", unreserved, true},
	kwExternal:         {"external", unreserved, true},
	kwExtract:          {"extract", columnName, true},
	kwFalse:            {"false", reserved, true},
	kwFamily:           {"family", unreserved, true},
	kwFetch:            {"fetch", reserved, false},
	kwFilter:           {"filter", unreserved, false},
	kwFinalize:         {"finalize", unreserved, true},
	kwFirst:            {"first", unreserved, true},
	kwFloat:            {"float", columnName, true},
	kwFollowing:        {"following", unreserved, true},
	kwFor:              {"for", reserved, false},
	kwForce:            {"force", unreserved, true},
	kwForeign:          {"foreign", reserved, true},
	kwForward:          {"forward", unreserved, true},
	kwFreeze:           {"freeze", typeFuncName, true},
	kwFrom:             {"from", reserved, false},
	kwFull:             {"full", typeFuncName, true},
	kwFunction:         {"function", unreserved, true},
	kwFunctions:        {"functions", unreserved, true},
	kwGenerated:        {"generated", unreserved, true},
	kwGlobal:           {"global", unreserved, true},
	kwGrant:            {"grant", reserved, false},
	kwGranted:          {"granted", unreserved, true},
	kwGreatest:         {"greatest", columnName, true},
	kwGroup:            {"group", reserved, false},
	kwGrouping:         {"grouping", columnName, true},
	kwGroups:           {"groups", unreserved, true},
	kwHandler:          {"handler", unreserved, true},
	kwHaving:           {"having", reserved, false},
	kwHeader:           {"header", unreserved, true},
	kwHold:             {"hold", unreserved, true},
	kwHour:             {"hour", unreserved, false},
	kwIdentity:         {"identity", unreserved, true},
	kwIf:               {"if", unreserved, true},
	kwIlike:            {"ilike", typeFuncName, true},
	kwImmediate:        {"immediate", unreserved, true},
	kwImmutable:        {"immutable", unreserved, true},
	kwImplicit:         {"implicit", unreserved, true},
	kwImport:           {"import", unreserved, true},
	kwIn:               {"in", reserved, true},
	kwInclude:          {"include", unreserved, true},
	kwIncluding:        {"including", unreserved, true},
	kwIncrement:        {"increment", unreserved, true},
	kwIndex:            {"index", unreserved, true},
	kwIndexes:          {"indexes", unreserved, true},
	kwInherit:          {"inherit", unreserved, true},
	kwInherits:         {"inherits", unreserved, true},
	kwInitially:        {"initially", reserved, true},
	kwInline:           {"inline", unreserved, true},
	kwInner:            {"inner", typeFuncName, true},
	kwInout:            {"inout", columnName, true},
	kwInput:            {"input", unreserved, true},
	kwInsensitive:      {"insensitive", unreserved, true},
	kwInsert:           {"insert", unreserved, true},
	kwInstead:          {"instead", unreserved, true},
	kwInt:              {"int", columnName, true},
	kwInteger:          {"integer", columnName, true},
	kwIntersect:        {"intersect", reserved, false},
	kwInterval:         {"interval", columnName, true},
	kwInto:             {"into", reserved, false},
	kwInvoker:          {"invoker", unreserved, true},
	kwIs:               {"is", typeFuncName, true},
	kwIsnull:           {"isnull", typeFuncName, false},
	kwIsolation:        {"isolation", unreserved, true},
	kwJoin:             {"join", typeFuncName, true},
	kwKey:              {"key", unreserved, true},
	kwLabel:            {"label", unreserved, true},
	kwLanguage:         {"language", unreserved, true},
	kwLarge:            {"large", unreserved, true},
	kwLast:             {"last", unreserved, true},
	kwLateral:          {"lateral", reserved, true},
	kwLeading:          {"leading", reserved, true},
	kwLeakproof:        {"leakproof", unreserved, true},
	kwLeast:            {"least", columnName, true},
	kwLeft:             {"left", typeFuncName, true},
	kwLevel:            {"level", unreserved, true},
	kwLike:             {"like", typeFuncName, true},
	kwLimit:            {"limit", reserved, false},
	kwListen:           {"listen", unreserved, true},
	kwLoad:             {"load", unreserved, true},
	kwLocal:            {"local", unreserved, true},
	kwLocaltime:        {"localtime", reserved, true},
	kwLocaltimestamp:   {"localtimestamp", reserved, true},
	kwLocation:         {"location", unreserved, true},
	kwLock:             {"lock", unreserved, true},
	kwLocked:           {"locked", unreserved, true},
	kwLogged:           {"logged", unreserved, true},
	kwMapping:          {"mapping", unreserved, true},
	kwMatch:            {"match", unreserved, true},
	kwMatched:          {"matched", unreserved, true},
	kwMaterialized:     {"materialized", unreserved, true},
	kwMaxvalue:         {"maxvalue", unreserved, true},
	kwMerge:            {"merge", unreserved, true},
	kwMethod:           {"method", unreserved, true},
	kwMinute:           {"minute", unreserved, false},
	kwMinvalue:         {"minvalue", unreserved, true},
	kwMode:             {"mode", unreserved, true},
	kwMonth:            {"month", unreserved, false},
	kwMove:             {"move", unreserved, true},
	kwName:             {"name", unreserved, true},
	kwNames:            {"names", unreserved, true},
	kwNational:         {"national", columnName, true},
	kwNatural:          {"natural", typeFuncName, true},
	kwNchar:            {"nchar", columnName, true},
	kwNew:              {"new", unreserved, true},
	kwNext:             {"next", unreserved, true},
	kwNfc:              {"nfc", unreserved, true},
	kwNfd:              {"nfd", unreserved, true},
	kwNfkc:             {"nfkc", unreserved, true},
	kwNfkd:             {"nfkd", unreserved, true},
	kwNo:               {"no", unreserved, true},
	kwNone:             {"none", columnName, true},
	kwNormalize:        {"normalize", columnName, true},
	kwNormalized:       {"normalized", unreserved, true},
	kwNot:              {"not", reserved, true},
	kwNothing:          {"nothing", unreserved, true},
	kwNotify:           {"notify", unreserved, true},
	kwNotnull:          {"notnull", typeFuncName, false},
	kwNowait:           {"nowait", unreserved, true},
	kwNull:             {"null", reserved, true},
	kwNullif:           {"nullif", columnName, true},
	kwNulls:            {"nulls", unreserved, true},
	kwNumeric:          {"numeric", columnName, true},
	kwObject:           {"object", unreserved, true},
	kwOf:               {"of", unreserved, true},
	kwOff:              {"off", unreserved, true},
	kwOffset:           {"offset", reserved, false},
	kwOids:             {"oids", unreserved, true},
	kwOld:              {"old", unreserved, true},
	kwOn:               {"on", reserved, false},
	kwOnly:             {"only", reserved, true},
	kwOperator:         {"operator", unreserved, true},
	kwOption:           {"option", unreserved, true},
	kwOptions:          {"options", unreserved, true},
	kwOr:               {"or", reserved, true},
	kwOrder:            {"order", reserved, false},
	kwOrdinality:       {"ordinality", unreserved, true},
	kwOthers:           {"others", unreserved, true},
	kwOut:              {"out", columnName, true},
	kwOuter:            {"outer", typeFuncName, true},
	kwOver:             {"over", unreserved, false},
	kwOverlaps:         {"overlaps", typeFuncName, false},
	kwOverlay:          {"overlay", columnName, true},
	kwOverriding:       {"overriding", unreserved, true},
	kwOwned:            {"owned", unreserved, true},
	kwOwner:            {"owner", unreserved, true},
	kwParallel:         {"parallel", unreserved, true},
	kwParameter:        {"parameter", unreserved, true},
	kwParser:           {"parser", unreserved, true},
	kwPartial:          {"partial", unreserved, true},
	kwPartition:        {"partition", unreserved, true},
	kwPassing:          {"passing", unreserved, true},
	kwPassword:         {"password", unreserved, true},
	kwPlacing:          {"placing", reserved, true},
	kwPlans:            {"plans", unreserved, true},
	kwPolicy:           {"policy", unreserved, true},
	kwPosition:         {"position", columnName, true},
	kwPreceding:        {"preceding", unreserved, true},
	kwPrecision:        {"precision", columnName, false},
	kwPrepare:          {"prepare", unreserved, true},
	kwPrepared:         {"prepared", unreserved, true},
	kwPreserve:         {"preserve", unreserved, true},
	kwPrimary:          {"primary", reserved, true},
	kwPrior:            {"prior", unreserved, true},
	kwPrivileges:       {"privileges", unreserved, true},
	kwProcedural:       {"procedural", unreserved, true},
	kwProcedure:        {"procedure", unreserved, true},
	kwProcedures:       {"procedures", unreserved, true},
	kwProgram:          {"program", unreserved, true},
	kwPublication:      {"publication", unreserved, true},
	kwQuote:            {"quote", unreserved, true},
	kwRange:            {"range", unreserved, true},
	kwRead:             {"read", unreserved, true},
	kwReal:             {"real", columnName, true},
	kwReassign:         {"reassign", unreserved, true},
	kwRecheck:          {"recheck", unreserved, true},
	kwRecursive:        {"recursive", unreserved, true},
	kwRef:              {"ref", unreserved, true},
	kwReferences:       {"references", reserved, true},
	kwReferencing:      {"referencing", unreserved, true},
	kwRefresh:          {"refresh", unreserved, true},
	kwReindex:          {"reindex", unreserved, true},
	kwRelative:         {"relative", unreserved, true},
	kwRelease:          {"release", unreserved, true},
	kwRename:           {"rename", unreserved, true},
	kwRepeatable:       {"repeatable", unreserved, true},
	kwReplace:          {"replace", unreserved, true},
	kwReplica:          {"replica", unreserved, true},
	kwReset:            {"reset", unreserved, true},
	kwRestart:          {"restart", unreserved, true},
	kwRestrict:         {"restrict", unreserved, true},
	kwReturn:           {"return", unreserved, true},
	kwReturning:        {"returning", reserved, false},
	kwReturns:          {"returns", unreserved, true},
	kwRevoke:           {"revoke", unreserved, true},
	kwRight:            {"right", typeFuncName, true},
	kwRole:             {"role", unreserved, true},
	kwRollback:         {"rollback", unreserved, true},
	kwRollup:           {"rollup", unreserved, true},
	kwRoutine:          {"routine", unreserved, true},
	kwRoutines:         {"routines", unreserved, true},
	kwRow:              {"row", columnName, true},
	kwRows:             {"rows", unreserved, true},
	kwRule:             {"rule", unreserved, true},
	kwSavepoint:        {"savepoint", unreserved, true},
	kwSchema:           {"schema", unreserved, true},
	kwSchemas:          {"schemas", unreserved, true},
	kwScroll:           {"scroll", unreserved, true},
	kwSearch:           {"search", unreserved, true},
	kwSecond:           {"second", unreserved, false},
	kwSecurity:         {"security", unreserved, true},
	kwSelect:           {"select", reserved, true},
	kwSequence:         {"sequence", unreserved, true},
	kwSequences:        {"sequences", unreserved, true},
	kwSerializable:     {"serializable", unreserved, true},
	kwServer:           {"server", unreserved, true},
	kwSession:          {"session", unreserved, true},
	kwSessionUser:      {"session_user", reserved, true},
	kwSet:              {"set", unreserved, true},
	kwSetof:            {"setof", columnName, true},
	kwSets:             {"sets", unreserved, true},
	kwShare:            {"share", unreserved, true},
	kwShow:             {"show", unreserved, true},
	kwSimilar:          {"similar", typeFuncName, true},
	kwSimple:           {"simple", unreserved, true},
	kwSkip:             {"skip", unreserved, true},
	kwSmallint:         {"smallint", columnName, true},
	kwSnapshot:         {"snapshot", unreserved, true},
	kwSome:             {"some", reserved, true},
	kwSql:              {"sql", unreserved, true},
	kwStable:           {"stable", unreserved, true},
	kwStandalone:       {"standalone", unreserved, true},
	kwStart:            {"start", unreserved, true},
	kwStatement:        {"statement", unreserved, true},
	kwStatistics:       {"statistics", unreserved, true},
	kwStdin:            {"stdin", unreserved, true},
	kwStdout:           {"stdout", unreserved, true},
	kwStorage:          {"storage", unreserved, true},
	kwStored:           {"stored", unreserved, true},
	kwStrict:           {"strict", unreserved, true},
	kwStrip:            {"strip", unreserved, true},
	kwSubscription:     {"subscription", unreserved, true},
	kwSubstring:        {"substring", columnName, true},
	kwSupport:          {"support", unreserved, true},
	kwSymmetric:        {"symmetric", reserved, true},
	kwSysid:            {"sysid", unreserved, true},
	kwSystem:           {"system", unreserved, true},
	kwTable:            {"table", reserved, true},
	kwTables:           {"tables", unreserved, true},
	kwTablesample:      {"tablesample", typeFuncName, true},
	kwTablespace:       {"tablespace", unreserved, true},
	kwTemp:             {"temp", unreserved, true},
	kwTemplate:         {"template", unreserved, true},
	kwTemporary:        {"temporary", unreserved, true},
	kwText:             {"text", unreserved, true},
	kwThen:             {"then", reserved, true},
	kwTies:             {"ties", unreserved, true},
	kwTime:             {"time", columnName, true},
	kwTimestamp:        {"timestamp", columnName, true},
	kwTo:               {"to", reserved, false},
	kwTrailing:         {"trailing", reserved, true},
	kwTransaction:      {"transaction", unreserved, true},
	kwTransform:        {"transform", unreserved, true},
	kwTreat:            {"treat", columnName, true},
	kwTrigger:          {"trigger", unreserved, true},
	kwTrim:             {"trim", columnName, true},
	kwTrue:             {"true", reserved, true},
	kwTruncate:         {"truncate", unreserved, true},
	kwTrusted:          {"trusted", unreserved, true},
	kwType:             {"type", unreserved, true},
	kwTypes:            {"types", unreserved, true},
	kwUescape:          {"uescape", unreserved, true},
	kwUnbounded:        {"unbounded", unreserved, true},
	kwUncommitted:      {"uncommitted", unreserved, true},
	kwUnencrypted:      {"unencrypted", unreserved, true},
	kwUnion:            {"union", reserved, false},
	kwUnique:           {"unique", reserved, true},
	kwUnknown:          {"unknown", unreserved, true},
	kwUnlisten:         {"unlisten", unreserved, true},
	kwUnlogged:         {"unlogged", unreserved, true},
	kwUntil:            {"until", unreserved, true},
	kwUpdate:           {"update", unreserved, true},
	kwUser:             {"user", reserved, true},
	kwUsing:            {"using", reserved, true},
	kwVacuum:           {"vacuum", unreserved, true},
	kwValid:            {"valid", unreserved, true},
	kwValidate:         {"validate", unreserved, true},
	kwValidator:        {"validator", unreserved, true},
	kwValue:            {"value", unreserved, true},
	kwValues:           {"values", columnName, true},
	kwVarchar:          {"varchar", columnName, true},
	kwVariadic:         {"variadic", reserved, true},
	kwVarying:          {"varying", unreserved, false},
	kwVerbose:          {"verbose", typeFuncName, true},
	kwVersion:          {"version", unreserved, true},
	kwView:             {"view", unreserved, true},
	kwViews:            {"views", unreserved, true},
	kwVolatile:         {"volatile", unreserved, true},
	kwWhen:             {"when", reserved, true},
	kwWhere:            {"where", reserved, false},
	kwWhitespace:       {"whitespace", unreserved, true},
	kwWindow:           {"window", reserved, false},
	kwWith:             {"with", reserved, false},
	kwWithin:           {"within", unreserved, false},
	kwWithout:          {"without", unreserved, false},
	kwWork:             {"work", unreserved, true},
	kwWrapper:          {"wrapper", unreserved, true},
	kwWrite:            {"write", unreserved, true},
	kwXml:              {"xml", unreserved, true},
	kwXmlattributes:    {"xmlattributes", columnName, true},
	kwXmlconcat:        {"xmlconcat", columnName, true},
	kwXmlelement:       {"xmlelement", columnName, true},
	kwXmlexists:        {"xmlexists", columnName, true},
	kwXmlforest:        {"xmlforest", columnName, true},
	kwXmlnamespaces:    {"xmlnamespaces", columnName, true},
	kwXmlparse:         {"xmlparse", columnName, true},
	kwXmlpi:            {"xmlpi", columnName, true},
	kwXmlroot:          {"xmlroot", columnName, true},
	kwXmlserialize:     {"xmlserialize", columnName, true},
	kwXmltable:         {"xmltable", columnName, true},
	kwYear:             {"year", unreserved, false},
	kwYes:              {"yes", unreserved, true},
	kwZone:             {"zone", unreserved, true},
}

// keywordSlots is an open-addressed hash table from word to keyword, built once
// when the program starts: a lookup is one hash, one compare.
var keywordSlots = func() (t [keywordSlotCount]keyword) {
	for k := noKeyword + 1; k < kwCount; k++ {
		i := keywordHash(keywords[k].word)
		for t[i] != noKeyword {
			i = (i + 1) % keywordSlotCount
		}
		t[i] = k
	}
	return t
}()

const (
	keywordSlotCount = 2048
	keywordLenMax    = len("current_timestamp")
)

func keywordHash(s string) uint32 {
	h := uint32(2166136261)
	for i := range len(s) {
		h = (h ^ uint32(s[i])) * 16777619
	}
	return (h ^ h>>15) % keywordSlotCount
}

// lookupKeyword finds a folded word.
func lookupKeyword(s string) keyword {
	if len(s) > keywordLenMax {
		return noKeyword
	}
	for i := keywordHash(s); ; i = (i + 1) % keywordSlotCount {
		k := keywordSlots[i]
		if k == noKeyword || keywords[k].word == s {
			return k
		}
	}
}
