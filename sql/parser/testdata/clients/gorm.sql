INSERT INTO "book_tags" ("book_id","tag_id") VALUES ($1,$2),($3,$4) ON CONFLICT DO NOTHING
;;
INSERT INTO "book_tags" ("book_id","tag_id") VALUES ($1,$2) ON CONFLICT DO NOTHING
;;
SELECT * FROM "tags" WHERE "tags"."id" IN ($1,$2)
;;
CREATE INDEX IF NOT EXISTS "idx_authors_deleted_at" ON "authors" ("deleted_at")
;;
ALTER TABLE "authors" DROP COLUMN "photo"
;;
DELETE FROM "book_tags" WHERE "book_tags"."book_id" = $1
;;
UPDATE "authors" SET "active"=$1,"age"=age + $2,"updated_at"=$3 WHERE name=$4 AND "authors"."deleted_at" IS NULL
;;
INSERT INTO "counters" ("key","n") VALUES ($1,$2)
;;
INSERT INTO "tags" ("name") VALUES ($1) ON CONFLICT DO NOTHING RETURNING "id"
;;
SELECT count(*) FROM information_schema.tables WHERE table_schema = CURRENT_SCHEMA() AND table_name = $1 AND table_type = $2
;;
select name from authors where meta->>'n' = $1 and meta @> $2
;;
SELECT CURRENT_DATABASE()
;;
update authors set meta = $1 where name = $2
;;
SELECT constraint_name FROM information_schema.table_constraints tc JOIN information_schema.constraint_column_usage AS ccu USING (constraint_schema, constraint_catalog, table_name, constraint_name) JOIN information_schema.columns AS c ON c.table_schema = tc.constraint_schema AND tc.table_name = c.table_name AND ccu.column_name = c.column_name WHERE constraint_type IN ('PRIMARY KEY', 'UNIQUE') AND c.table_catalog = $1 AND c.table_schema = CURRENT_SCHEMA() AND c.table_name = $2 AND constraint_type = $3
;;
SELECT * FROM "companies" WHERE "companies"."id" = $1
;;
INSERT INTO "tags" ("name") VALUES ($1),($2) ON CONFLICT DO NOTHING RETURNING "id"
;;
begin
;;
rollback
;;
CREATE OR REPLACE VIEW "gm_adults" AS SELECT * FROM "authors" WHERE age > 35 AND "authors"."deleted_at" IS NULL
;;
ROLLBACK TO SAVEPOINT sp1473507483483501990
;;
SELECT * FROM "counters" WHERE key = $1 ORDER BY "counters"."key" LIMIT $2
;;
ALTER TABLE "authors" DROP CONSTRAINT "age_ok"
;;
CREATE TABLE "book_tags" ("book_id" bigint,"tag_id" bigint,PRIMARY KEY ("book_id","tag_id"),CONSTRAINT "fk_book_tags_book" FOREIGN KEY ("book_id") REFERENCES "books"("id"),CONSTRAINT "fk_book_tags_tag" FOREIGN KEY ("tag_id") REFERENCES "tags"("id"))
;;
SAVEPOINT sp1473507483483501990
;;
SELECT * FROM "counters" WHERE "counters"."key" > $1 ORDER BY "counters"."key" LIMIT $2
;;
INSERT INTO "counters" ("key","n") VALUES ($1,$2),($3,$4),($5,$6),($7,$8),($9,$10),($11,$12),($13,$14),($15,$16),($17,$18),($19,$20),($21,$22),($23,$24),($25,$26),($27,$28),($29,$30),($31,$32),($33,$34),($35,$36),($37,$38),($39,$40),($41,$42),($43,$44),($45,$46),($47,$48),($49,$50),($51,$52),($53,$54),($55,$56),($57,$58),($59,$60),($61,$62),($63,$64),($65,$66),($67,$68),($69,$70),($71,$72),($73,$74),($75,$76),($77,$78),($79,$80),($81,$82),($83,$84),($85,$86),($87,$88),($89,$90),($91,$92),($93,$94),($95,$96),($97,$98),($99,$100),($101,$102),($103,$104),($105,$106),($107,$108),($109,$110),($111,$112),($113,$114),($115,$116),($117,$118),($119,$120),($121,$122),($123,$124),($125,$126),($127,$128),($129,$130),($131,$132),($133,$134),($135,$136),($137,$138),($139,$140),($141,$142),($143,$144),($145,$146),($147,$148),($149,$150),($151,$152),($153,$154),($155,$156),($157,$158),($159,$160),($161,$162),($163,$164),($165,$166),($167,$168),($169,$170),($171,$172),($173,$174),($175,$176),($177,$178),($179,$180),($181,$182),($183,$184),($185,$186),($187,$188),($189,$190),($191,$192),($193,$194),($195,$196),($197,$198),($199,$200)
;;
SELECT c.column_name, c.is_nullable = 'YES', c.udt_name, c.character_maximum_length, c.numeric_precision, c.numeric_precision_radix, c.numeric_scale, c.datetime_precision, 8 * typlen, c.column_default, pd.description, c.identity_increment FROM information_schema.columns AS c JOIN pg_type AS pgt ON c.udt_name = pgt.typname LEFT JOIN pg_catalog.pg_description as pd ON pd.objsubid = c.ordinal_position AND pd.objoid = (SELECT oid FROM pg_catalog.pg_class WHERE relname = c.table_name AND relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = c.table_schema)) where table_catalog = $1 AND table_schema = CURRENT_SCHEMA() AND table_name = $2
;;
SELECT
	ct.relname AS table_name,
	ci.relname AS index_name,
	i.indisunique AS non_unique,
	i.indisprimary AS primary,
	a.attname AS column_name
FROM
	pg_index i
	LEFT JOIN pg_class ct ON ct.oid = i.indrelid
	LEFT JOIN pg_class ci ON ci.oid = i.indexrelid
	LEFT JOIN pg_attribute a ON a.attrelid = ct.oid
	LEFT JOIN pg_constraint con ON con.conindid = i.indexrelid
WHERE
	a.attnum = ANY(i.indkey)
	AND con.oid IS NULL
	AND ct.relkind = 'r'
	AND ct.relname = $1
 AND ct.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = CURRENT_SCHEMA())
