{% macro counted(what, name) %}count({{what}}) as {{name}}{% endmacro %}
{% set rows = this.DeRef("inputs/stays/var_table") %}
{% set wards = ["a", "b"] %}
select {{this.DeRef("inputs/stays/var_table/patient_key")}},
  {{ counted("*", "n_stays") }}
  {% for ward in wards %}
  , {{ nights_in(ward) }}
  {% endfor %}
from {{rows}} where patient_key is not null group by 1
