drop table if exists p2_many
;;
MOVE -3 FROM "p2_scroll"
;;
select row(1, 'x')::p2_pair
;;
DECLARE "p2_scroll" SCROLL CURSOR WITHOUT HOLD FOR select g from generate_series(1,10) g
;;
select 1
;;
SELECT t.oid, typarray, attname, atttypid
FROM pg_type t
JOIN pg_namespace ns ON typnamespace = ns.oid
JOIN pg_attribute a ON attrelid = typrelid
WHERE typname = 'p2_pair' AND nspname = 'public'
    AND attnum > 0 AND NOT attisdropped
ORDER BY attnum;
;;
create table p2_never (i int)
;;
select count(*) from p2_many where v = 'b'
;;
CLOSE "p2 cur"
;;
drop table if exists p2_copy
;;
COMMIT
;;
show application_name
;;
BEGIN ISOLATION LEVEL READ COMMITTED
;;
update p2_crud set name = name || 'b' where id = 1
;;
select nosuch(1)
;;
select array_agg(id) from p2_tx
;;
insert into p2_many values (50,NULL),(51,NULL),(52,NULL),(53,NULL),(54,NULL),(55,NULL),(56,NULL),(57,NULL),(58,NULL),(59,NULL),(60,NULL),(61,NULL),(62,NULL),(63,NULL),(64,NULL),(65,NULL),(66,NULL),(67,NULL),(68,NULL),(69,NULL),(70,NULL),(71,NULL),(72,NULL),(73,NULL),(74,NULL),(75,NULL),(76,NULL),(77,NULL),(78,NULL),(79,NULL),(80,NULL),(81,NULL),(82,NULL),(83,NULL),(84,NULL),(85,NULL),(86,NULL),(87,NULL),(88,NULL),(89,NULL),(90,NULL),(91,NULL),(92,NULL),(93,NULL),(94,NULL),(95,NULL),(96,NULL),(97,NULL),(98,NULL),(99,NULL),(100,NULL),(101,NULL),(102,NULL),(103,NULL),(104,NULL),(105,NULL),(106,NULL),(107,NULL),(108,NULL),(109,NULL),(110,NULL),(111,NULL),(112,NULL),(113,NULL),(114,NULL),(115,NULL),(116,NULL),(117,NULL),(118,NULL),(119,NULL),(120,NULL),(121,NULL),(122,NULL),(123,NULL),(124,NULL),(125,NULL),(126,NULL),(127,NULL),(128,NULL),(129,NULL),(130,NULL),(131,NULL),(132,NULL),(133,NULL),(134,NULL),(135,NULL),(136,NULL),(137,NULL),(138,NULL),(139,NULL),(140,NULL),(141,NULL),(142,NULL),(143,NULL),(144,NULL),(145,NULL),(146,NULL),(147,NULL),(148,NULL),(149,NULL),(150,NULL),(151,NULL),(152,NULL),(153,NULL),(154,NULL),(155,NULL),(156,NULL),(157,NULL),(158,NULL),(159,NULL),(160,NULL),(161,NULL),(162,NULL),(163,NULL),(164,NULL),(165,NULL),(166,NULL),(167,NULL),(168,NULL),(169,NULL),(170,NULL),(171,NULL),(172,NULL),(173,NULL),(174,NULL),(175,NULL),(176,NULL),(177,NULL),(178,NULL),(179,NULL),(180,NULL),(181,NULL),(182,NULL),(183,NULL),(184,NULL),(185,NULL),(186,NULL),(187,NULL),(188,NULL),(189,NULL),(190,NULL),(191,NULL),(192,NULL),(193,NULL),(194,NULL),(195,NULL),(196,NULL),(197,NULL),(198,NULL),(199,NULL),(200,NULL),(201,NULL),(202,NULL),(203,NULL),(204,NULL),(205,NULL),(206,NULL),(207,NULL),(208,NULL),(209,NULL),(210,NULL),(211,NULL),(212,NULL),(213,NULL),(214,NULL),(215,NULL),(216,NULL),(217,NULL),(218,NULL),(219,NULL),(220,NULL),(221,NULL),(222,NULL),(223,NULL),(224,NULL),(225,NULL),(226,NULL),(227,NULL),(228,NULL),(229,NULL),(230,NULL),(231,NULL),(232,NULL),(233,NULL),(234,NULL),(235,NULL),(236,NULL),(237,NULL),(238,NULL),(239,NULL),(240,NULL),(241,NULL),(242,NULL),(243,NULL),(244,NULL),(245,NULL),(246,NULL),(247,NULL),(248,NULL),(249,NULL),(250,NULL),(251,NULL),(252,NULL),(253,NULL),(254,NULL),(255,NULL),(256,NULL),(257,NULL),(258,NULL),(259,NULL),(260,NULL),(261,NULL),(262,NULL),(263,NULL),(264,NULL),(265,NULL),(266,NULL),(267,NULL),(268,NULL),(269,NULL),(270,NULL),(271,NULL),(272,NULL),(273,NULL),(274,NULL),(275,NULL),(276,NULL),(277,NULL),(278,NULL),(279,NULL),(280,NULL),(281,NULL),(282,NULL),(283,NULL),(284,NULL),(285,NULL),(286,NULL),(287,NULL),(288,NULL),(289,NULL),(290,NULL),(291,NULL),(292,NULL),(293,NULL),(294,NULL),(295,NULL),(296,NULL),(297,NULL),(298,NULL),(299,NULL),(300,NULL),(301,NULL),(302,NULL),(303,NULL),(304,NULL),(305,NULL),(306,NULL),(307,NULL),(308,NULL),(309,NULL),(310,NULL),(311,NULL),(312,NULL),(313,NULL),(314,NULL),(315,NULL),(316,NULL),(317,NULL),(318,NULL),(319,NULL),(320,NULL),(321,NULL),(322,NULL),(323,NULL),(324,NULL),(325,NULL),(326,NULL),(327,NULL),(328,NULL),(329,NULL),(330,NULL),(331,NULL),(332,NULL),(333,NULL),(334,NULL),(335,NULL),(336,NULL),(337,NULL),(338,NULL),(339,NULL),(340,NULL),(341,NULL),(342,NULL),(343,NULL),(344,NULL),(345,NULL),(346,NULL),(347,NULL),(348,NULL),(349,NULL),(350,NULL),(351,NULL),(352,NULL),(353,NULL),(354,NULL),(355,NULL),(356,NULL),(357,NULL),(358,NULL),(359,NULL),(360,NULL),(361,NULL),(362,NULL),(363,NULL),(364,NULL),(365,NULL),(366,NULL),(367,NULL),(368,NULL),(369,NULL),(370,NULL),(371,NULL),(372,NULL),(373,NULL),(374,NULL),(375,NULL),(376,NULL),(377,NULL),(378,NULL),(379,NULL),(380,NULL),(381,NULL),(382,NULL),(383,NULL),(384,NULL),(385,NULL),(386,NULL),(387,NULL),(388,NULL),(389,NULL),(390,NULL),(391,NULL),(392,NULL),(393,NULL),(394,NULL),(395,NULL),(396,NULL),(397,NULL),(398,NULL),(399,NULL),(400,NULL),(401,NULL),(402,NULL),(403,NULL),(404,NULL),(405,NULL),(406,NULL),(407,NULL),(408,NULL),(409,NULL),(410,NULL),(411,NULL),(412,NULL),(413,NULL),(414,NULL),(415,NULL),(416,NULL),(417,NULL),(418,NULL),(419,NULL),(420,NULL),(421,NULL),(422,NULL),(423,NULL),(424,NULL),(425,NULL),(426,NULL),(427,NULL),(428,NULL),(429,NULL),(430,NULL),(431,NULL),(432,NULL),(433,NULL),(434,NULL),(435,NULL),(436,NULL),(437,NULL),(438,NULL),(439,NULL),(440,NULL),(441,NULL),(442,NULL),(443,NULL),(444,NULL),(445,NULL),(446,NULL),(447,NULL),(448,NULL),(449,NULL),(450,NULL),(451,NULL),(452,NULL),(453,NULL),(454,NULL),(455,NULL),(456,NULL),(457,NULL),(458,NULL),(459,NULL),(460,NULL),(461,NULL),(462,NULL),(463,NULL),(464,NULL),(465,NULL),(466,NULL),(467,NULL),(468,NULL),(469,NULL),(470,NULL),(471,NULL),(472,NULL),(473,NULL),(474,NULL),(475,NULL),(476,NULL),(477,NULL),(478,NULL),(479,NULL),(480,NULL),(481,NULL),(482,NULL),(483,NULL),(484,NULL),(485,NULL),(486,NULL),(487,NULL),(488,NULL),(489,NULL),(490,NULL),(491,NULL),(492,NULL),(493,NULL),(494,NULL),(495,NULL),(496,NULL),(497,NULL),(498,NULL),(499,NULL),(500,NULL),(501,NULL),(502,NULL),(503,NULL),(504,NULL),(505,NULL),(506,NULL),(507,NULL),(508,NULL),(509,NULL),(510,NULL),(511,NULL),(512,NULL),(513,NULL),(514,NULL),(515,NULL),(516,NULL),(517,NULL),(518,NULL),(519,NULL),(520,NULL),(521,NULL),(522,NULL),(523,NULL),(524,NULL),(525,NULL),(526,NULL),(527,NULL),(528,NULL),(529,NULL),(530,NULL),(531,NULL),(532,NULL),(533,NULL),(534,NULL),(535,NULL),(536,NULL),(537,NULL),(538,NULL),(539,NULL),(540,NULL),(541,NULL),(542,NULL),(543,NULL),(544,NULL),(545,NULL),(546,NULL),(547,NULL),(548,NULL),(549,NULL) returning id
;;
DECLARE "p2 cur" CURSOR WITHOUT HOLD FOR select g from generate_series(1, 2000) g
;;
update p2_many set v = 'b' where id = 0;update p2_many set v = 'b' where id = 1;update p2_many set v = 'b' where id = 2;update p2_many set v = 'b' where id = 3;update p2_many set v = 'b' where id = 4;update p2_many set v = 'b' where id = 5;update p2_many set v = 'b' where id = 6;update p2_many set v = 'b' where id = 7;update p2_many set v = 'b' where id = 8;update p2_many set v = 'b' where id = 9;update p2_many set v = 'b' where id = 10;update p2_many set v = 'b' where id = 11;update p2_many set v = 'b' where id = 12;update p2_many set v = 'b' where id = 13;update p2_many set v = 'b' where id = 14;update p2_many set v = 'b' where id = 15;update p2_many set v = 'b' where id = 16;update p2_many set v = 'b' where id = 17;update p2_many set v = 'b' where id = 18;update p2_many set v = 'b' where id = 19;update p2_many set v = 'b' where id = 20;update p2_many set v = 'b' where id = 21;update p2_many set v = 'b' where id = 22;update p2_many set v = 'b' where id = 23;update p2_many set v = 'b' where id = 24;update p2_many set v = 'b' where id = 25;update p2_many set v = 'b' where id = 26;update p2_many set v = 'b' where id = 27;update p2_many set v = 'b' where id = 28;update p2_many set v = 'b' where id = 29;update p2_many set v = 'b' where id = 30;update p2_many set v = 'b' where id = 31;update p2_many set v = 'b' where id = 32;update p2_many set v = 'b' where id = 33;update p2_many set v = 'b' where id = 34;update p2_many set v = 'b' where id = 35;update p2_many set v = 'b' where id = 36;update p2_many set v = 'b' where id = 37;update p2_many set v = 'b' where id = 38;update p2_many set v = 'b' where id = 39
;;
drop type if exists p2_pair
;;
create type p2_pair as (a int, b text)
;;
copy (select * from p2_copy order by id) to stdout with csv header
;;
select * from p2_nosuch
;;
drop table if exists p2_err
;;
create table p2_err (id int constraint p2_err_pk primary key, v int not null, constraint p2_pos check (v > 0))
;;
select 1, 2.5, 'it''s \ %'::text, NULL, true, 1.50, '2024-02-29'::date, '2024-02-29T01:02:03.000004'::timestamp, '1 days 5.000000 seconds'::interval, '6ba7b810-9dad-11d1-80b4-00c04fd430c8'::uuid::uuid, '{"a": [1]}'::jsonb, ARRAY[1,2,3], '\x00ff'::bytea
