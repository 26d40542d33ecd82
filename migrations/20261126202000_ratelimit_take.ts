// Several limits are taken in one round trip, each only once the narrower ones before it have let the try pass. Times are the
// database's, so that nodes need not agree on theirs.
// breaking: no

import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    -- The limits in the order given, until one refuses: its number, and when its window is over. Whoever takes or gives back
    -- several does so in one order, so that nobody waits for each other.
    create function causeway_take_limits(names text[], most integer[], seconds integer[])
      returns table (refused integer, retry_after_seconds float8) language plpgsql volatile as $$
    declare
      at_ms bigint := extract(epoch from clock_timestamp()) * 1000;
      counted integer;
      until_ms bigint;
    begin
      for nr in 1 .. cardinality(names) loop
        insert into rate_limits as r (key, points, expire) values (names[nr], 1, at_ms + seconds[nr] * 1000::bigint)
          on conflict (key) do update set
            points = case when r.expire <= at_ms then 1 else r.points + 1 end,
            expire = case when r.expire <= at_ms then excluded.expire else r.expire end
          returning r.points, r.expire into counted, until_ms;
        if counted > most[nr] then
          return query select nr, (until_ms - at_ms) / 1000::float8;
          return;
        end if;
      end loop;
      return query select null::integer, null::float8;
    end $$;

    create function causeway_give_back_limits(names text[]) returns void language plpgsql volatile as $$
    begin
      for nr in 1 .. cardinality(names) loop
        update rate_limits set points = points - 1
          where key = names[nr] and points > 0 and expire > extract(epoch from clock_timestamp()) * 1000;
      end loop;
    end $$;
  `);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('drop function causeway_give_back_limits, causeway_take_limits');
}
