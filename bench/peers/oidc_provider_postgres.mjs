// A store for node-oidc-provider in PostgreSQL as one would write it to be fast: one table by primary key, prepared
// statements, a pool of 10, one round trip for each call that the provider makes. Configuration objects that cannot change
// are not asked for.

import pg from 'pg';

const SCHEMA = `
create table if not exists oidc_objects (
  model text not null, id text not null, payload jsonb not null, grant_id text, uid text, consumed_at timestamptz,
  expires_at timestamptz, primary key (model, id));
create index if not exists oidc_objects_grant on oidc_objects (grant_id) where grant_id is not null;
create index if not exists oidc_objects_uid on oidc_objects (uid) where uid is not null;`;

/** The adapter class for one database. */
export async function createPostgresAdapter(connectionString) {
  const pool = new pg.Pool({ connectionString, max: 10 });
  await pool.query(SCHEMA);
  const run = async (name, text, values) => (await pool.query({ name, text, values })).rows;
  const FOUND = 'payload, extract(epoch from consumed_at)::int as consumed';
  const LIVE = '(expires_at is null or expires_at > now())';
  const toPayload = ([row]) => row && { ...row.payload, ...(row.consumed && { consumed: row.consumed }) };

  return class PostgresAdapter {
    constructor(model) {
      this.model = model;
    }

    upsert(id, payload, expiresIn) {
      return run(
        'upsert',
        `insert into oidc_objects (model, id, payload, grant_id, uid, expires_at)
         values ($1, $2, $3, $4, $5, now() + make_interval(secs => $6))
         on conflict (model, id) do update set payload = excluded.payload, grant_id = excluded.grant_id,
           uid = excluded.uid, expires_at = excluded.expires_at`,
        [this.model, id, payload, payload.grantId, payload.uid, expiresIn],
      );
    }

    async find(id) {
      return toPayload(
        await run('find', `select ${FOUND} from oidc_objects where model = $1 and id = $2 and ${LIVE}`, [
          this.model,
          id,
        ]),
      );
    }

    async findByUid(uid) {
      return toPayload(
        await run('uid', `select ${FOUND} from oidc_objects where uid = $1 and model = $2 and ${LIVE}`, [
          uid,
          this.model,
        ]),
      );
    }

    async findByUserCode() {
      return undefined;
    }

    consume(id) {
      return run('consume', 'update oidc_objects set consumed_at = now() where model = $1 and id = $2', [
        this.model,
        id,
      ]);
    }

    destroy(id) {
      return run('destroy', 'delete from oidc_objects where model = $1 and id = $2', [this.model, id]);
    }

    revokeByGrantId(grantId) {
      return run('revoke', 'delete from oidc_objects where grant_id = $1', [grantId]);
    }
  };
}
