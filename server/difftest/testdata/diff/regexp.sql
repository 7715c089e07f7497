-- POSIX regular expressions.
-- @each re = 'a' | '^a' | 'c$' | 'a|b' | '(a)(b)?' | '[a-c]+' | '[^a]' | 'a{2}' | 'a{1,}' | 'a{0,1}' | 'a*?' | '.*?c' | '(?:a)b' | '\d+' | '\w+\s' | '\y' | '\mb' | 'c\M' | '[[:alpha:]]+' | '[[:digit:][:space:]]' | '^$' | '(?i)A' | '\Aa' | 'c\Z' | '\.' | 'a\B' | '[]a]' | '[a\]]' | '\x61' | '(a|ab)(c|bcd)(d*)' | '(?n)^b' | 'b(?=c)' | 'b(?!c)' | '(a)\1' | '***=a.' | '(?x)a b # c' | '()' | 'x*' | '(|a)' | '\S+$' | '[[:<:]]b' | '\u0061' | '\D' | '(?q)a.'
-- @each str = 'abc' | 'aab abb' | '' | E'a\nbc' | 'ABC 123' | 'abcd' | 'a.c' | 'xyz]'
select {str} ~ {re}, {str} ~* {re}, regexp_replace({str}, {re}, '<\&>'), regexp_replace({str}, {re}, '[\1]', 'g'), regexp_match({str}, {re}), regexp_split_to_array({str}, {re}), regexp_count({str}, {re}), substring({str} from {re});
select array_agg(m) from regexp_matches({str}, {re}, 'g') m;

-- @each bad = '(' | ')' | '[' | 'a{' | 'a{2,1}' | '*' | 'a**' | '\' | '[z-a]' | '[[:nosuch:]]' | '(?<n>a)' | 'a{1000}' | '+' | '?' | '(?z)' | '\1' | '[[=a=]]' | '[[.a.]]' | 'a{1,2}{3}' | '{1}' | 'a|*' | '(*)' | '^*' | '\c' | '[[.nosuch.]]' | '***:a' | '\x' | 'a{,3}'
select 'abc' ~ {bad};
select regexp_replace('abcabc', 'b', 'X', 2), regexp_replace('abcabc', 'b', 'X', 3), regexp_replace('abcabc', 'b', 'X', 1, 2), regexp_replace('abcabc', 'B', 'X', 1, 0, 'i'), regexp_replace('abc', 'b', '\\'), regexp_replace('abc', 'b', '\0'), regexp_replace('a1b2', '(\w)(\d)', '\2\1', 'g'), regexp_replace('abc', '', '-', 'g');
select regexp_replace('abc', 'b', 'X', 'z');
select regexp_replace('abc', 'b', 'X', -1);
select regexp_match('abc', 'b', 'g');
select regexp_matches('abc', 'x'), 1;
select regexp_matches('foobarbequebaz', 'ba.', 'g'), regexp_match('abc', '(x)?b'), regexp_matches('aBc', 'b', 'i');
select regexp_split_to_array('the quick  brown', '\s+'), regexp_split_to_array('abc', ''), regexp_split_to_array('a1b2c', '\d'), regexp_split_to_array('aXbxc', 'x', 'i'), regexp_split_to_array('', 'a'), regexp_split_to_array('abc', 'b', 'g');
select * from regexp_split_to_table('a,b,c', ',') with ordinality;
select regexp_matches(x, '\d') from (values ('a1'), ('b'), (null)) v(x);
select 'abc' ~ null, null ~ 'a', regexp_replace(null, 'a', 'b'), regexp_match('a', null);
select x ~ y from (values ('abc', 'b'), ('abc', '^b'), ('x', null)) v(x, y);
