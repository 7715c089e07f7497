-- to_char, to_date, to_timestamp, to_number.
-- @each dfmt = YYYY-MM-DD HH24:MI:SS | FMMonth DD, YYYY | Mon MON mon Month MONTH month | Day DAY day Dy DY dy | D ID DDD IDDD DD J | Q W WW IW CC | YYY YY Y,YYY Y IYYY IYY IY I | HH HH12 HH24 MI SS | MS US FF1 FF3 FF6 SSSS SSSSS | AM am A.M. a.m. PM P.M. | BC bc B.C. AD a.d. | DDth ddTH FMDDth | RM rm FMRM | TZ tz TZH TZM OF | "text YYYY" YYYY \"q\" | FMHH24:FMMI FMDay | TMMonth TMDay | FXYYYY | yyyymmdd | YYYYth DDDth | Dy, DD Mon YYYY | HH24:MI:SS.MSUS
select to_char(timestamp '2001-02-03 04:05:06.789012', '{dfmt}'), to_char(timestamptz '1999-12-31 23:59:59.5+00', '{dfmt}'), to_char(date '0044-03-15 BC', '{dfmt}'), to_char(timestamp '2020-05-22 12:00:00', '{dfmt}');
select to_char(interval '1 year 2 months 3 days 14:05:06.789', '{dfmt}');
select to_char(timestamp 'infinity', '{dfmt}'), to_char(interval '-3 days -04:05', 'HH24:MI DD');
-- @each nfmt = 9 | 999 | 0000 | 999.99 | 000.00 | FM999.99 | FM990.00 | S999 | 999S | MI999 | 999MI | PL999 | SG999 | 999PR | 9,999 | 9G999D99 | L999 | RN | FMRN | 9.9EEEE | 99V99 | 999th | 999TH | B999 | 99"x"9 | FM9999999999.999999 | 999.9.9 | . | FM | 09.90 | 999PRS | FM0999 | 9 9 9 | SG9,999.99 | 0.0 | 99999999.99 | FM$9,990.09 | V9 | S.99 | 999.000
-- @each nval = 0 | 1 | -1 | 12.5 | 485 | -485.8 | 1234.567 | 0.1 | -0.01 | 148.5 | 3999 | 99999
select to_char({nval}, '{nfmt}');
select to_char({nval}::float8, '{nfmt}'), to_char({nval}::float4, '{nfmt}');
select to_char({nval}::int, '{nfmt}'), to_char({nval}::int8, '{nfmt}');
-- @each td = '05 Dec 2000','DD Mon YYYY' | '2000-12-05','YYYY-MM-DD' | '20001205','YYYYMMDD' | '05/12/00','DD/MM/YY' | '2000 340','YYYY DDD' | '2000-W49-2','IYYY-"W"IW-ID' | 'Dec 5, 2000','Mon FMDD, YYYY' | '2000-13-01','YYYY-MM-DD' | '2000-02-30','YYYY-MM-DD' | 'abc','YYYY' | '','YYYY' | '99','YY' | '69','YY' | '70','YY' | '2451884','J' | 'XII','RM' | '44 BC','YYYY BC' | '2000JUN','YYYYMON' | '5 December 2000','DD Month YYYY' | '2000-12-05','FXYYYY-MM-DD' | '2000/12/05','YYYY-MM-DD' | '2000 12 5','YYYYMMDD' | '12,000-01-01','Y,YYY-MM-DD' | '2000-Dez-05','YYYY-Mon-DD' | '05 12','DD MM' | '20 2000','CC YYYY' | 'Monday 2000','Day YYYY' | '2000-1-1','YYYY-MM-DD' | '1 2','D W' | '2000-12-05x','YYYY-MM-DD' | '-2000-12-05','YYYY-MM-DD' | '2000 49','IYYY IW' | '2000 1','YYYY Q'
select to_date({td});
select to_timestamp({td});
-- @each tt = '05 Dec 2000 14:30:15','DD Mon YYYY HH24:MI:SS' | '2000-12-05 02:30 PM','YYYY-MM-DD HH12:MI PM' | '2000-12-05 14:30','YYYY-MM-DD HH12:MI' | '12:30:15.123456','HH24:MI:SS.US' | '12:30:15.5','HH24:MI:SS.MS' | '2000 15:16','YYYY HH24:MI' | '2000-12-05 14:30:15+02','YYYY-MM-DD HH24:MI:SSTZH' | '86399','SSSS' | '25:00','HH24:MI' | '12:60','HH24:MI' | '2000-12-05 12 am','YYYY-MM-DD HH am' | '1.234','SS.FF3' | '2000-12-05 14:30:15 PST','YYYY-MM-DD HH24:MI:SS TZ' | '2000-12-05 2:30 p.m.','YYYY-MM-DD HH:MI a.m.' | 'HELLO','YYYY' | '2000 12','YYYY YYYY' | '00:00','HH12:MI' | '20001205143015','YYYYMMDDHH24MISS' | ' 2000','YYYY' | '2000  12','YYYY MM' | '2000-12','YYYY MM' | 'at 12:05','"at" HH24:MI'
select to_timestamp({tt});
select to_number('-34,338,492', '99G999G999'), to_number('0.01', '9.99'), to_number('.0', '9.9'), to_number('1-', '9S'), to_number('5 4 4 4 4 8 . 7 8', '9 9 9 9 9 9 . 9 9'), to_number('123,000', '999G'), to_number('$1234.56', 'L99,999.99'), to_number('42nd', '99th'), to_number('12.34', '99V99');
select to_char(12345.678, '999,999.999'), to_char(-0.1, '99.99'), to_char(0.1, '0.9'), to_char(12, '9990999.9'), to_char(485, '"Good number:"999'), to_char(null::int, '9'), to_char(1, null), to_char('nan'::float8, '999'), to_char('infinity'::float8, 'S999.9'), to_char(1e20::float8, '9.99EEEE'), to_char(-1e-5, '9.999EEEE'), to_char(0, 'FM9'), to_char(0, 'FM0');
select to_char(4000, 'RN'), to_char(0, 'RN'), to_char(14, 'rn'), to_char(3.9, 'RN');
select to_char(1, '9V9EEEE');
select to_char(1, 'EEEE9');
select to_char(1, 'S9S');
select to_char(1, '99..9');
select to_date('2000', 'YYYY HH24 nosuch');
select to_char(now(), 'DD') = to_char(current_date, 'DD');
