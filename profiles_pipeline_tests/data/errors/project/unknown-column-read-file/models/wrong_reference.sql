select user_id
from {{ this.DeRef("inputs/order") }}
