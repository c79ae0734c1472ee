select {{ nosuch }} from
 {{ this.DeRef("inputs/orders") }}
