select a.id as account_id, a.name, to_timestamp_tz(a.created_at) as created_at,
  (select max(t.closed_at) from SUPPORT.TICKETS t where t.account_id = a.id) as last_ticket
from {{ this.DeRef("inputs/accounts") }} a
