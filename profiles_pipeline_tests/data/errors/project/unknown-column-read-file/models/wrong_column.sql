{% with o = this.DeRef("inputs/orders") %}
select user_id,
  amout
from {{ o }}
{% endwith %}
