

select user_id amount paid
from {{ this.DeRef("inputs/orders") }}