// Succeeds when the database of the rendered .env has the schema; tells as whom it looked.
'use strict';
const { appendFileSync, readFileSync } = require('fs');
const { query } = require('./parts');

const url = /^FREEBOARD_POSTGRES_URL=(.*)$/m.exec(readFileSync('.env', 'utf8'))[1];
const seen = query(url, "SELECT session_user FROM pg_tables WHERE tablename = 'accounts'");
if (!seen) throw new Error('the schema is not there');
appendFileSync('data/schema-status.log', `${seen}\n`);
