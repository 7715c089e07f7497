-- Integers and floats: arithmetic, overflow, casts, input and output.
-- @each i2 = 0::int2 | 1::int2 | '-1'::int2 | 32767::int2 | '-32768'::int2 | null::int2
-- @each i4 = 0 | 1 | -1 | 7 | 2147483647 | '-2147483648'::int4 | null::int4
-- @each i8 = 0::int8 | -1::int8 | 13::int8 | 9223372036854775807 | '-9223372036854775808'::int8 | null::int8
-- @each arith = + | - | * | / | %
-- @each bits = & | "|" | #

select {i2} {arith} {i2.2} as r;
select {i4} {arith} {i4.2} as r;
select {i8} {arith} {i8.2} as r;
select {i4} {arith} 3::int2 as r, 3::int8 {arith} {i4} as s;
select - {i2} as r;
select - {i4} as r;
select - {i8} as r;
select abs({i2}), abs({i4.2}), @ {i4.2};
select abs({i8}), sign({i8}), {i8}::float8, {i8}::numeric;
select {i4} & 6, {i4} | 6, {i4} # 6, ~ {i4};
select {i4} << 3, {i4} >> 1, {i4} << 33, {i4} >> -1;
select {i8} & 6, {i8} | 6, {i8} # 6, ~ {i8}, {i8} << 3, {i8} >> 3;
select {i4}::int2;
select {i8}::int4;
select {i8}::int2;
select gcd({i4}, {i4.2});
select lcm({i4}, {i4.2});
select gcd({i8}, 12::int8);
select div({i4}::numeric, 3), mod({i4}, 5), mod({i8}, 5::int8), div({i8}::numeric, -7);
select {i4} = {i4.2}, {i4} < {i4.2}, {i4} is distinct from {i4.2};
select to_hex({i4}), to_hex({i8.2});
select width_bucket({i4}, 0, 10, 5), width_bucket({i4}, 10, 0, 5);
select {i4}::bool, {i4}::text, {i4}::oid;
select {i8}::oid;

-- @each text_int = '1' | ' 12 ' | '+5' | '-7' | '' | ' ' | 'a' | '1a' | '1.5' | '1 2' | '2147483648' | '-2147483649' | '99999999999999999999' | '0x10' | '1e2' | '--1' | '+-1' | '1_000'
select {text_int}::int2;
select {text_int}::int4;
select {text_int}::int8;
select {text_int}::text::int;
select {text_int}::oid;

-- @each f = 0::float8 | '-0'::float8 | 1.5::float8 | -2.5::float8 | 1e300::float8 | 1e-300::float8 | 'infinity'::float8 | '-infinity'::float8 | 'nan'::float8 | null::float8
-- @each arith4 = + | - | * | /
select {f} {arith4} {f.2} as r;
select {f}::float4;
select {f}::int4;
select {f}::int8;
select {f}::numeric;
select {f}::text, - {f}, abs({f}), sign({f});
select {f} = {f.2}, {f} < {f.2}, {f} <> {f.2};
select ceil({f}), floor({f}), round({f}), trunc({f}), ceiling({f});
select sqrt({f});
select cbrt({f});
select exp({f});
select ln({f});
select log({f});
select {f} ^ 2;
select {f} ^ 0.5;
select {f} ^ {f.2};
select sin({f}), cos({f}), tan({f});
select asin({f});
select acos({f});
select atan({f}), atan2({f}, 1), sinh({f}), cosh({f}), tanh({f}), asinh({f});
select acosh({f});
select atanh({f});
select cot({f});
select sind({f}), cosd({f}), tand({f}), cotd({f});
select asind({f});
select acosd({f});
select atand({f}), atan2d({f}, {f.2});
select degrees({f}), radians({f});
select width_bucket({f}, 0::float8, 10::float8, 5);

-- @each g = 0::float4 | 1.1::float4 | -3.4e38::float4 | 1e-45::float4 | 'nan'::float4 | '-inf'::float4
select {g} + {g.2}, {g}::float8;
select {g} * {g.2};
select {g} / {g.2};
select {g}::int2;
select {g}::numeric;
select {g} + 1, {g} + 1.5, {g} + 1::float8, pg_typeof({g} + 1), pg_typeof({g} + 1.5);

-- @each text_float = '1' | ' 1.5 ' | '1e5' | '-.5' | '.' | '' | 'inf' | '+Infinity' | '-INF' | 'NaN' | '1e400' | '1e-400' | '1e39' | '1e-50' | 'x' | '1 2' | '1..2' | '0x1p3' | '1e' | 'nan1' | '123456789012345678'
select {text_float}::float8;
select {text_float}::float4;
select {text_float}::numeric;

-- Output of floats.
-- @each out = 1e15 | 1e16 | 123456789012345680 | 1e-4 | 1e-5 | 0.1 | 100000 | 1234567 | 1e20 | 1e22 | 1.0 | 3.0000000000000004 | 1e6 | 999999.5 | 16777217 | 0.3 | 1e-7
select {out}::float8, {out}::float4, {out}::float8::numeric, {out}::float4::numeric;
set extra_float_digits = 0;
select {out}::float8, {out}::float4;
set extra_float_digits = -3;
select {out}::float8, {out}::float4;
set extra_float_digits = 3;
select {out}::float8, {out}::float4;
set extra_float_digits = 4;
set extra_float_digits = -16;
reset extra_float_digits;

select random() between 0 and 1, setseed(0.5);
select setseed(2);
select factorial(0), factorial(5), factorial(20), factorial(25);
select factorial(-1);
select factorial(40000);
select min_scale(8.4100), scale(8.4100), trim_scale(8.4100), min_scale(null), scale('nan');
select pi(), exp(1.0), ln(2.0), log(100.0), log(2.0, 64.0), log10(1000), power(2, 10), power(2.0, 0.5), sqrt(2.0), cbrt(27.0);
select ln(0.0);
select ln(-1.0);
select log(0);
select log(-1.0);
select log(1.0, 2.0);
select log(-2.0, 2.0);
select power(0, -1);
select power(-1, 0.5);
select power(0.0, -1.0);
select power(-1.0, 0.5);
select sqrt(-1.0);
select sqrt(-1);
select 1 / 0;
select 1.0 / 0;
select 1::float8 / 0;
select 1 % 0;
select 5.5 % 0;
select mod(5, 0);
select div(5, 0);
select 'nan'::float8 / 0;
select width_bucket(5, 1, 10, 0);
select width_bucket(5, 1, 1, 3);
select width_bucket('nan'::float8, 1, 10, 3);
select width_bucket(5.35, array[1, 3, 4.5, 6]), width_bucket(now(), array['yesterday', 'today', 'tomorrow']::timestamptz[]) between 1 and 3;
select width_bucket(5, array[]::int[]), width_bucket(5, array[3, null]);
select width_bucket(5, array[[1, 2], [3, 4]]);
