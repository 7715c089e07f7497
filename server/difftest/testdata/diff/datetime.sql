-- Dates and times: input, output, arithmetic, fields.
-- @each d = '2001-02-03' | 'Jan 8, 1999' | '8-Jan-1999' | 'January 8, 1999' | '19990108' | '990108' | '1999.008' | 'J2451187' | '1/8/1999' | '1/18/1999' | '18/1/1999' | '99-Jan-08' | '08-Jan-99' | 'Jan-08-99' | '0099-01-08 BC' | 'January 8, 99 BC' | 'infinity' | '-infinity' | 'epoch' | '2001-02-29' | '2000-02-29' | '2001-13-01' | '0000-01-01' | '' | 'abc' | '5874897-12-31' | '5874898-01-01' | '4714-11-24 BC' | '4714-11-23 BC' | '2001-02-03 04:05:06' | '2001-2-3' | '1-2-3' | '2001-W01-1' | 'now x' | '10000-01-01' | '2001-060' | '20010203T040506'
-- @each style = ISO, MDY | ISO, DMY | ISO, YMD | SQL, DMY | German | Postgres, MDY | Postgres, DMY | SQL, MDY
set datestyle = '{style}';
select {d}::date;
set datestyle = 'ISO, DMY';
select {d}::date, {d}::date::timestamp, {d}::date + 1;
set datestyle = 'SQL, MDY';
select {d}::date, {d}::date::timestamptz;
set datestyle = 'Postgres, DMY';
select {d}::date, {d}::timestamp;
set datestyle = 'German';
select {d}::date, {d}::timestamp;
set datestyle = 'ISO, YMD';
select {d}::date;
set datestyle = 'ISO, MDY';
-- @each ts = '2001-02-03 04:05:06.789' | '2001-02-03T04:05:06Z' | '2001-02-03 04:05:06+02' | '2001-02-03 04:05:06 PST' | '2001-02-03 04:05:06 America/New_York' | '2001-02-03 04:05:06.123456789' | '2001-02-03 24:00:00' | '2001-02-03 24:00:01' | '2001-02-03 04:60:00' | '2001-02-03 04:05:60' | '2001-02-03 04:05:61' | '2001-02-03 4:5' | '2001-02-03 04' | '2001-02-03 04:05 PM' | '2001-02-03 12:05 AM' | '2001-02-03 13:05 AM' | 'Sat Feb 03 04:05:06 2001' | 'Sat Feb 03 04:05:06 2001 PST' | 'Feb 3 2001 4:05' | '2001-02-03 04:05:06-08:30' | '2001-02-03 04:05:06+16' | '294276-12-31 23:59:59' | '294277-01-01' | '4713-01-01 00:00:00 BC' | '20010203 040506' | '2001-02-03 04:05:06 nosuch/zone' | '2001-02-03 04:05:06.' | '04:05:06' | 'infinity' | '2001-03-11 02:30:00 America/New_York' | '2001-02-03 04:05:06 +02:30:15' | '1999-01-08 04:05:06 -8:00' | 'epoch' | '2001-02-03 04:05:06 EST5EDT' | '2001-02-03 04:05:06 BC' | '2001-02-03 allballs'
select {ts}::timestamp;
select {ts}::timestamptz;
select {ts}::time;
select {ts}::timestamp::timestamptz, {ts}::timestamp(0), {ts}::timestamp(2), {ts}::timestamp::date, {ts}::timestamp::time;
set timezone = 'America/New_York';
select {ts}::timestamptz, {ts}::timestamptz::timestamp, {ts}::timestamptz::time, {ts}::timestamptz::timetz, {ts}::timestamp::timestamptz;
set timezone = 'UTC';

-- @each tm = '04:05:06.789' | '04:05' | '040506' | '04:05 AM' | '04:05 PM' | '24:00:00' | '25:00' | '04:05:06+02' | '04:05:06 America/New_York' | '04:05:06 PST' | 'allballs' | '' | '4' | '04:05:06.1234567' | '23:59:59.9999999' | '12:00 am' | '1:2:3' | '04:05:60' | 'T04:05' | '2001-02-03 04:05:06 America/New_York' | '04:05:06-12:30:15' | 'noon' | '0405' | '04:05:06 BC'
select {tm}::time;
select {tm}::timetz;
select {tm}::time(0), {tm}::timetz(2), {tm}::time::interval;

-- @each iv = '1 day' | '1 year 2 months 3 days 04:05:06.789' | '-1 day' | '1-2' | '1 2:03:04' | 'P1Y2M3DT4H5M6S' | 'P0001-02-03T04:05:06' | '@ 1 minute ago' | '1.5 months' | '1.5 days' | '1 week' | '2 decades' | '1 century -1 year' | '1 millennium' | '04:05' | '04:05:06' | '-04:05:06' | '1 mon -1 day +02:03' | '' | 'abc' | '1' | '1.5 h' | '1 day 1 day' | '100000000 years' | '178956970 years 8 mons' | '1 us' | '1.5 ms' | '36 hours' | '40 days' | '-1 year +1 month' | 'P1W' | 'PT1.5S' | 'P-1Y' | '1 quarter' | '0.1 year' | '1 day ago' | '9223372036854775807 us' | 'infinity' | '0.5 weeks' | '1 2 3' | '-1-2' | '1e2 days' | '1:2:3:4' | '2147483648 days' | 'P' | '.5 s' | '1,5 days' | '- 1 day' | '1 d 2 h 3 m 4 s'
select {iv}::interval;
select {iv}::interval year, {iv}::interval month, {iv}::interval day, {iv}::interval hour to minute, {iv}::interval second(1), {iv}::interval(0);
select {iv}::interval * 2, {iv}::interval / 3, {iv}::interval * 1.5, - {iv}::interval, {iv}::interval + '1 day', justify_hours({iv}::interval), justify_days({iv}::interval), justify_interval({iv}::interval);
select timestamp '2001-01-31 12:00' + {iv}::interval, timestamp '2001-01-31 12:00' - {iv}::interval, date '2001-01-31' + {iv}::interval, time '12:00' + {iv}::interval;
set intervalstyle = 'sql_standard';
select {iv}::interval, - {iv}::interval;
set intervalstyle = 'postgres_verbose';
select {iv}::interval, - {iv}::interval;
set intervalstyle = 'iso_8601';
select {iv}::interval, - {iv}::interval;
set intervalstyle = 'postgres';
select extract(epoch from {iv}::interval), extract(year from {iv}::interval), extract(month from {iv}::interval), extract(day from {iv}::interval), extract(hour from {iv}::interval), extract(second from {iv}::interval), extract(century from {iv}::interval), date_part('epoch', {iv}::interval), extract(quarter from {iv}::interval);

-- @each field = microseconds | milliseconds | second | minute | hour | day | week | month | quarter | year | decade | century | millennium | dow | doy | epoch | isodow | isoyear | julian | timezone | timezone_hour | timezone_minute | nosuch
select extract({field} from timestamp '2001-02-16 20:38:40.123456');
select extract({field} from timestamptz '2001-02-16 20:38:40.12+05:30');
select extract({field} from date '2001-02-16');
select extract({field} from time '20:38:40.12');
select extract({field} from timetz '20:38:40.12+05:30');
select extract({field} from interval '1 year 15 months 3 days 26:38:40.12');
select date_part('{field}', timestamp '2001-02-16 20:38:40.123456'), date_part('{field}', timestamp '0044-03-15 00:00:00 BC');
select date_trunc('{field}', timestamp '2001-02-16 20:38:40.123456');
select date_trunc('{field}', timestamptz '2001-02-16 20:38:40.12+05:30', 'Asia/Kolkata');
select date_trunc('{field}', interval '3 years 15 months 3 days 26:38:40.12');
select extract({field} from timestamp 'infinity'), extract({field} from date '-infinity');
select extract({field} from date '2004-12-31'), extract({field} from date '0001-01-01 BC'), extract({field} from date '2000-01-01');

select date '2001-10-01' - date '2001-09-28', date '2001-09-28' + 7, 7 + date '2001-09-28', date '2001-09-28' - 7, date '2001-09-28' + time '03:00', date '2001-09-28' + interval '1 hour', timestamp '2001-09-29 03:00' - timestamp '2001-07-27 12:00', time '05:00' - time '03:00', time '05:00' - interval '2 hours', timestamp '2001-09-28 23:00' - interval '23 hours', interval '1 day' - interval '1 hour', 900 * interval '1 second', double precision '3.5' * interval '1 hour', interval '1 hour' / double precision '1.5', timestamptz '2001-01-01' - timestamptz '2000-01-01', time '23:00' + interval '2 hours', timetz '23:00+02' + interval '2 hours', date '2001-01-01' + timetz '01:00+02';
select interval '1 day' / 0;
select interval '1 day' * 'nan'::float8;
select date '2001-01-01' + 2147483647;
select date 'infinity' - date '2001-01-01';
select date 'infinity' + 1, timestamp 'infinity' - interval '1 day', timestamp '-infinity' < '2001-01-01';
select timestamp 'infinity' - timestamp '2001-01-01';
select timestamp '294276-12-31' + interval '1 year';
select date '2001-01-01' = timestamp '2001-01-01', date '2001-01-01' < timestamptz '2001-01-02', time '01:00' < '02:00', interval '1 month' = interval '30 days', interval '24 hours' = interval '1 day', timetz '01:00+01' = timetz '00:00+00', timetz '01:00+01' > timetz '00:00+00';
select age(timestamp '2001-04-10', timestamp '1957-06-13'), age(timestamp '2001-01-31', timestamp '2001-02-28'), age(timestamp '2000-02-29', timestamp '2001-02-28'), age(timestamptz '2001-03-01', timestamptz '2001-01-31'), age(timestamp '2001-01-01 00:00', timestamp '2001-01-01 12:00'), age(date '2001-05-05', date '2000-01-01');
select date_bin('15 minutes', timestamp '2020-02-11 15:44:17', timestamp '2001-01-01'), date_bin('1 hour', timestamptz '2020-02-11 15:44:17+00', timestamptz '2001-01-01 00:30+00');
select date_bin('1 month', timestamp '2020-02-11', timestamp '2001-01-01');
select date_bin('0 s', timestamp '2020-02-11', timestamp '2001-01-01');
select make_date(2013, 7, 15), make_date(-44, 3, 15), make_time(8, 15, 23.5), make_timestamp(2013, 7, 15, 8, 15, 23.5), make_timestamptz(2013, 7, 15, 8, 15, 23.5, 'America/New_York'), make_interval(1, 2, 3, 4, 5, 6, 7.5);
select make_date(2013, 2, 30);
select make_date(0, 1, 1);
select make_time(24, 0, 1);
select make_timestamp(2013, 13, 1, 0, 0, 0);
select make_timestamptz(2013, 1, 1, 0, 0, 0, 'nosuch');
select to_timestamp(1284352323.5), to_timestamp('infinity'::float8), to_timestamp(0), to_timestamp(-1.5);
select to_timestamp('nan'::float8);
select to_timestamp(1e18);
select isfinite(date '2001-02-16'), isfinite(timestamp 'infinity'), isfinite(interval '4 hours');
select timestamp '2001-02-16 20:38:40' at time zone 'America/Denver', timestamptz '2001-02-16 20:38:40-05' at time zone 'America/Denver', timestamp '2001-02-16 20:38:40' at time zone interval '-7 hours', timestamptz '2001-02-16 20:38:40-05' at time zone 'PST', timestamptz '2001-02-16 20:38:40-05' at time zone '+3', timetz '20:38-05' at time zone 'UTC', time '10:00' at time zone 'UTC', timezone('UTC', timestamp '2001-01-01'), timestamptz '2001-02-16 20:38:40-05' at time zone 'Asia/Tokyo' at time zone 'America/Chicago';
select timestamp '2001-01-01' at time zone 'nosuch';
select timestamp '2001-01-01' at time zone interval '1 month';
select (date '2001-02-16', date '2001-12-21') overlaps (date '2001-10-30', date '2002-10-30'), (date '2001-02-16', interval '100 days') overlaps (date '2001-10-30', date '2002-10-30'), (time '10:00', time '12:00') overlaps (time '11:00', interval '1 hour'), (null, date '2001-01-01') overlaps (date '2001-01-01', date '2001-02-01');
select * from generate_series(timestamp '2008-03-01 00:00', timestamp '2008-03-02 12:00', '10 hours');
select * from generate_series(timestamptz '2008-03-30 00:00+00', timestamptz '2008-04-01 00:00+00', '1 day');
select * from generate_series(date '2001-01-31', date '2001-05-01', '1 month');
select * from generate_series(timestamp '2008-03-01', timestamp '2008-03-02', '0 s');
select now() = current_timestamp, current_date = now()::date, localtimestamp = now()::timestamp, current_time = now()::timetz, pg_typeof(current_timestamp(2)), pg_typeof(localtime(1)), transaction_timestamp() = now(), statement_timestamp() >= now(), clock_timestamp() >= now(), pg_typeof(timeofday()), pg_typeof(current_date), pg_typeof(localtime);
select 'today'::date = current_date, 'tomorrow'::date - 'today'::date, 'yesterday'::date < 'today', 'now'::timestamptz = now(), 'today 10:00'::timestamp::time;
set timezone = 'Europe/Berlin';
select timestamptz '2021-03-28 01:59:59+01', timestamptz '2021-03-28 02:30:00', timestamptz '2021-10-31 02:30:00', timestamp '2021-07-01' ::timestamptz, timestamptz '1890-01-01 00:00:00', extract(timezone from timestamptz '2021-07-01'), timestamptz '2021-03-28 00:00' + interval '1 day', timestamptz '2021-03-28 00:00' + interval '24 hours', timestamptz '2021-03-29' - timestamptz '2021-03-28', date_trunc('day', timestamptz '2021-03-28 13:00');
set datestyle = 'SQL, DMY';
select timestamptz '2021-07-01 12:00', timestamp '2021-07-01 12:00:00.5', date '2021-07-01', timestamptz '0044-03-15 BC', time '12:00', timetz '12:00+02';
set datestyle = 'Postgres';
select timestamptz '2021-07-01 12:00', timestamp '2021-07-01 12:00:00.5', date '2021-07-01', timestamptz '0044-03-15 BC', timestamp 'infinity';
set datestyle = 'German';
select timestamptz '2021-07-01 12:00', timestamp '2021-07-01 12:00:00.5', date '2021-07-01';
show datestyle;
set datestyle = 'nosuch';
set datestyle = 'ISO, SQL';
set datestyle = 'ISO';
show datestyle;
reset datestyle;
set timezone = 'nosuch';
set timezone = -7;
show timezone;
select timestamptz '2001-01-01 00:00+00';
set time zone interval '+05:30' hour to minute;
show timezone;
select timestamptz '2001-01-01 00:00+00';
set time zone 'EST5EDT';
select timestamptz '2001-07-01 00:00+00';
set time zone '<+03>-3';
select timestamptz '2001-07-01 00:00+00';
set time zone local;
set intervalstyle = 'nosuch';
