$( Propositional calculus of implication and negation: a small database for tests and for the task `detachment`.

   The three axioms are those of Lukasiewicz, the rule is detachment; everything else is derived from them. The proofs
   were made from lambda terms whose variables were eliminated (ax1 is the combinator K, ax2 is S), and then checked.
   Released into the public domain (CC0). $)

$c ( ) -> ~ wff |- $.
$v p q r s t u $.

vp $f wff p $.
vq $f wff q $.
vr $f wff r $.
vs $f wff s $.
vt $f wff t $.
vu $f wff u $.

$( Formulas $)
imp $a wff ( p -> q ) $.
neg $a wff ~ p $.

$( Axioms and the rule $)
ax1 $a |- ( p -> ( q -> p ) ) $.
ax2 $a |- ( ( p -> ( q -> r ) ) -> ( ( p -> q ) -> ( p -> r ) ) ) $.
ax3 $a |- ( ( ~ p -> ~ q ) -> ( q -> p ) ) $.
${
  mp.1 $e |- p $.
  mp.2 $e |- ( p -> q ) $.
  mp $a |- q $.
$}

$( Implication: rules $)

  ${
    const.i.1 $e |- p $.
    const.i $p |- ( q -> p ) $=
      vp vq vp imp const.i.1 vp vq ax1 mp $.
  $}
  ${
    dist.i.1 $e |- ( p -> ( q -> r ) ) $.
    dist.i $p |- ( ( p -> q ) -> ( p -> r ) ) $=
      vp vq vr imp imp vp vq imp vp vr imp imp dist.i.1 vp vq vr ax2 mp $.
  $}
  ${
    apply.i.1 $e |- ( p -> q ) $.
    apply.i.2 $e |- ( p -> ( q -> r ) ) $.
    apply.i $p |- ( p -> r ) $=
      vp vq imp vp vr imp apply.i.1 vp vq vr imp imp vp vq imp vp vr imp imp apply.i.2 vp vq vr ax2 mp mp $.
  $}
  ${
    comp.i.1 $e |- ( p -> q ) $.
    comp.i.2 $e |- ( q -> r ) $.
    comp.i $p |- ( p -> r ) $=
      vp vq vr comp.i.1 vq vr imp vp comp.i.2 const.i apply.i $.
  $}
  ${
    mp2.i.1 $e |- p $.
    mp2.i.2 $e |- q $.
    mp2.i.3 $e |- ( p -> ( q -> r ) ) $.
    mp2.i $p |- r $=
      vq vr mp2.i.2 vp vq vr imp mp2.i.1 mp2.i.3 mp mp $.
  $}

$( Implication: theorems $)

  $( Reflexivity: the combinator I $)
  refl $p |- ( p -> p ) $=
    vp vp vp imp vp vp vp ax1 vp vp vp imp ax1 apply.i $.
  refl2 $p |- ( p -> ( q -> q ) ) $=
    vq vq imp vp vq refl const.i $.
  $( Composition: the combinator B $)
  comp $p |- ( ( q -> r ) -> ( ( p -> q ) -> ( p -> r ) ) ) $=
    vq vr imp vp vq vr imp imp vp vq imp vp vr imp imp vq vr imp vp ax1 vp vq vr imp imp vp vq imp vp vr imp
    imp imp vq vr imp vp vq vr ax2 const.i apply.i $.
  ${
    swap.i.1 $e |- ( p -> ( q -> r ) ) $.
    swap.i $p |- ( q -> ( p -> r ) ) $=
      vq vp vq imp vp vr imp vq vp ax1 vp vq vr imp imp vp vq imp vp vr imp imp swap.i.1 vp vq vr ax2 mp
      comp.i $.
  $}
  $( Exchange: the combinator C $)
  swap $p |- ( ( p -> ( q -> r ) ) -> ( q -> ( p -> r ) ) ) $=
    vp vq vr imp imp vq vp vq imp imp vq vp vr imp imp vq vp vq imp imp vp vq vr imp imp vq vp ax1 const.i vp
    vq vr imp imp vp vq imp vp vr imp imp vq vp vq imp imp vq vp vr imp imp imp vp vq vr ax2 vq vp vq imp vp
    vr imp comp comp.i apply.i $.
  $( Transitivity $)
  chain $p |- ( ( p -> q ) -> ( ( q -> r ) -> ( p -> r ) ) ) $=
    vq vr imp vp vq imp vp vr imp vp vq vr comp swap.i $.
  ${
    merge.i.1 $e |- ( p -> ( p -> q ) ) $.
    merge.i $p |- ( p -> q ) $=
      vp vp vq vp refl merge.i.1 apply.i $.
  $}
  $( Contraction: the combinator W $)
  merge $p |- ( ( p -> ( p -> q ) ) -> ( p -> q ) ) $=
    vp vp vq imp imp vp vp imp vp vq imp vp vp imp vp vp vq imp imp vp refl const.i vp vp vq ax2 apply.i $.
  $( Assertion $)
  eval $p |- ( p -> ( ( p -> q ) -> q ) ) $=
    vp vq imp vp vq vp vq imp refl swap.i $.
  const2 $p |- ( p -> ( q -> ( r -> p ) ) ) $=
    vp vr vp imp vq vr vp imp imp vp vr ax1 vr vp imp vq ax1 comp.i $.
  weaken $p |- ( ( p -> q ) -> ( p -> ( r -> q ) ) ) $=
    vq vr vq imp imp vp vq imp vp vr vq imp imp imp vq vr ax1 vp vq vr vq imp comp mp $.
  drop $p |- ( ( ( p -> q ) -> r ) -> ( q -> r ) ) $=
    vp vq imp vr imp vq vp vq imp imp vq vr imp vq vp vq imp imp vp vq imp vr imp vq vp ax1 const.i vq vp vq
    imp vr comp apply.i $.
  $( The converse of ax2 $)
  join $p |- ( ( ( p -> q ) -> ( p -> r ) ) -> ( p -> ( q -> r ) ) ) $=
    vp vq imp vp vr imp imp vq vp vr imp imp vp vq vr imp imp vq vp vq imp imp vp vq imp vp vr imp imp vq vp
    vr imp imp imp vq vp ax1 vp vq imp vp vr imp imp vq vp vq imp imp vq vp vr imp imp vq vp vq imp vp vr imp
    comp swap.i mp vq vp vr swap comp.i $.
  lift $p |- ( ( p -> q ) -> ( ( r -> p ) -> ( r -> ( s -> q ) ) ) ) $=
    vp vq imp vr vp imp vr vq imp imp vr vp imp vr vs vq imp imp imp vr vp vq comp vr vq imp vr vs vq imp imp
    imp vr vp imp vr vq imp imp vr vp imp vr vs vq imp imp imp imp vq vs vq imp imp vr vq imp vr vs vq imp imp
    imp vq vs ax1 vr vq vs vq imp comp mp vr vp imp vr vq imp vr vs vq imp imp comp mp comp.i $.
  comp.left $p |- ( ( p -> q ) -> ( ( r -> ( q -> s ) ) -> ( r -> ( p -> s ) ) ) ) $=
    vr vq vs imp imp vp vq imp vr vp vs imp imp vr vq vs imp imp vr vp vq imp vp vs imp imp imp vp vq imp vr
    vp vs imp imp imp vq vs imp vp vq imp vp vs imp imp imp vr vq vs imp imp vr vp vq imp vp vs imp imp imp
    imp vp vq vs comp vr vq vs imp vp vq imp vp vs imp imp comp mp vr vp vq imp vp vs imp swap comp.i swap.i $.
  comp.right $p |- ( ( p -> ( q -> r ) ) -> ( ( r -> s ) -> ( p -> ( q -> s ) ) ) ) $=
    vr vs imp vp vq vr imp imp vp vq vs imp imp vr vs imp vq vr imp vq vs imp imp vp vq vr imp imp vp vq vs
    imp imp imp vq vr vs comp vp vq vr imp vq vs imp comp comp.i swap.i $.
  rotate $p |- ( ( p -> ( q -> ( r -> s ) ) ) -> ( r -> ( p -> ( q -> s ) ) ) ) $=
    vp vq vr vs imp imp imp vp vr vq vs imp imp imp vr vp vq vs imp imp imp vq vr vs imp imp vr vq vs imp imp
    imp vp vq vr vs imp imp imp vp vr vq vs imp imp imp imp vq vr vs swap vp vq vr vs imp imp vr vq vs imp imp
    comp mp vp vr vq vs imp swap comp.i $.
  inner.swap $p |- ( ( p -> ( q -> ( r -> s ) ) ) -> ( p -> ( r -> ( q -> s ) ) ) ) $=
    vq vr vs imp imp vr vq vs imp imp imp vp vq vr vs imp imp imp vp vr vq vs imp imp imp imp vq vr vs swap vp
    vq vr vs imp imp vr vq vs imp imp comp mp $.
  inner.merge $p |- ( ( p -> ( q -> ( q -> r ) ) ) -> ( p -> ( q -> r ) ) ) $=
    vq vq imp vp vq vq vr imp imp imp vp vq vr imp imp imp vq refl vp vq vq vr imp imp imp vq vq imp vp vq vr
    imp imp vp vq vq vr imp imp imp vp vq vq imp vq vr imp imp imp vq vq imp vp vq vr imp imp imp vq vq vr imp
    imp vq vq imp vq vr imp imp imp vp vq vq vr imp imp imp vp vq vq imp vq vr imp imp imp imp vq vq vr ax2 vp
    vq vq vr imp imp vq vq imp vq vr imp imp comp mp vp vq vq imp vq vr imp swap comp.i swap.i mp $.
  triple $p |- ( ( ( ( p -> q ) -> q ) -> q ) -> ( p -> q ) ) $=
    vp vp vq imp vq imp imp vp vq imp vq imp vq imp vp vq imp imp vp vq imp vp vq vp vq imp refl swap.i vp vq
    imp vq imp vq imp vp vp vq imp vq imp imp vp vq imp vp vp vq imp vq imp vq comp swap.i mp $.
  pull $p |- ( ( p -> q ) -> ( ( ( p -> r ) -> s ) -> ( ( q -> r ) -> s ) ) ) $=
    vp vq imp vq vr imp vp vr imp imp vp vr imp vs imp vq vr imp vs imp imp vq vr imp vp vq imp vp vr imp vp
    vq vr comp swap.i vp vr imp vs imp vq vr imp vp vr imp imp vq vr imp vs imp vq vr imp vp vr imp vs comp
    swap.i comp.i $.
  both $p |- ( ( p -> q ) -> ( ( p -> r ) -> ( ( q -> ( r -> s ) ) -> ( p -> s ) ) ) ) $=
    vp vq imp vq vr vs imp imp vp vr imp vp vs imp imp imp vp vr imp vq vr vs imp imp vp vs imp imp imp vp vq
    imp vq vr vs imp imp vp vr vs imp imp imp vq vr vs imp imp vp vr imp vp vs imp imp imp vq vr vs imp imp vp
    vq imp vp vr vs imp imp vp vq vr vs imp comp swap.i vp vr vs imp imp vp vr imp vp vs imp imp imp vq vr vs
    imp imp vp vr vs imp imp imp vq vr vs imp imp vp vr imp vp vs imp imp imp imp vp vr vs ax2 vq vr vs imp
    imp vp vr vs imp imp vp vr imp vp vs imp imp comp mp comp.i vq vr vs imp imp vp vr imp vp vs imp swap
    comp.i $.
  three $p |- ( ( p -> q ) -> ( ( q -> r ) -> ( ( r -> s ) -> ( p -> s ) ) ) ) $=
    vp vq imp vq vr imp vp vr imp imp vq vr imp vr vs imp vp vs imp imp imp vq vr imp vp vq imp vp vr imp vp
    vq vr comp swap.i vp vr imp vr vs imp vp vs imp imp imp vq vr imp vp vr imp imp vq vr imp vr vs imp vp vs
    imp imp imp imp vr vs imp vp vr imp vp vs imp vp vr vs comp swap.i vq vr imp vp vr imp vr vs imp vp vs imp
    imp comp mp comp.i $.

$( Negation: contradiction $)

  $( From a contradiction anything follows $)
  absurd $p |- ( ~ p -> ( p -> q ) ) $=
    vp neg vq neg vp neg imp vp vq imp vp neg vq neg ax1 vq vp ax3 comp.i $.
  absurd2 $p |- ( p -> ( ~ p -> q ) ) $=
    vp neg vp vq vp vq absurd swap.i $.
  ${
    absurd.i.1 $e |- p $.
    absurd.i.2 $e |- ~ p $.
    absurd.i $p |- q $=
      vp vq absurd.i.1 vp neg vp vq imp absurd.i.2 vp vq absurd mp mp $.
  $}
  $( What follows from its own negation holds $)
  clavius $p |- ( ( ~ p -> p ) -> p ) $=
    vp neg vp imp vp neg vp imp vp vp neg vp imp refl vp neg vp imp vp neg vp neg vp imp neg imp vp neg vp imp
    vp imp vp neg vp vp neg vp imp neg imp imp vp neg vp imp vp neg vp neg vp imp neg imp imp vp vp neg vp imp
    neg absurd vp neg vp vp neg vp imp neg ax2 mp vp vp neg vp imp ax3 comp.i apply.i $.
  $( Double negation, elimination $)
  elim $p |- ( ~ ~ p -> p ) $=
    vp neg neg vp neg vp imp vp vp neg vp absurd vp clavius comp.i $.
  $( Double negation, introduction $)
  intro $p |- ( p -> ~ ~ p ) $=
    vp neg neg neg vp neg imp vp vp neg neg imp vp neg elim vp neg neg vp ax3 mp $.
  $( Peirce's law $)
  peirce $p |- ( ( ( p -> q ) -> p ) -> p ) $=
    vp vq imp vp imp vp neg vp imp vp vp vq imp vp imp vp neg vp vq imp imp vp neg vp imp vp neg vp vq imp imp
    vp vq imp vp imp vp vq absurd const.i vp neg vp vq imp vp comp apply.i vp clavius comp.i $.
  $( What implies its own negation does not hold $)
  reduct $p |- ( ( p -> ~ p ) -> ~ p ) $=
    vp vp neg imp vp neg neg vp neg imp vp neg vp vp neg imp vp neg neg vp imp vp neg neg vp neg imp vp neg
    neg vp imp vp vp neg imp vp elim const.i vp neg neg vp vp neg comp apply.i vp neg clavius comp.i $.

$( Negation: contraposition $)

  contra $p |- ( ( p -> q ) -> ( ~ q -> ~ p ) ) $=
    vp vq imp vp neg neg vq neg neg imp vq neg vp neg imp vp vq imp vp neg neg vq imp vp neg neg vq neg neg
    imp vp vq imp vp neg neg vp imp vp neg neg vq imp vp neg neg vp imp vp vq imp vp elim const.i vp neg neg
    vp vq comp apply.i vq vq neg neg imp vp neg neg vq imp vp neg neg vq neg neg imp imp vq intro vp neg neg
    vq vq neg neg comp mp comp.i vp neg vq neg ax3 comp.i $.
  ${
    contra.i.1 $e |- ( p -> q ) $.
    contra.i $p |- ( ~ q -> ~ p ) $=
      vp vq imp vq neg vp neg imp contra.i.1 vp vq contra mp $.
  $}
  contra2 $p |- ( ( p -> ~ q ) -> ( q -> ~ p ) ) $=
    vp vq neg imp vp neg neg vq neg imp vq vp neg imp vp vq neg imp vp neg neg vp imp vp neg neg vq neg imp vp
    neg neg vp imp vp vq neg imp vp elim const.i vp neg neg vp vq neg comp apply.i vp neg vq ax3 comp.i $.
  contra3 $p |- ( ( ~ p -> q ) -> ( ~ q -> p ) ) $=
    vp neg vq imp vp neg vq neg neg imp vq neg vp imp vq vq neg neg imp vp neg vq imp vp neg vq neg neg imp
    imp vq intro vp neg vq vq neg neg comp mp vp vq neg ax3 comp.i $.
  ${
    contra2.i.1 $e |- ( p -> ~ q ) $.
    contra2.i $p |- ( q -> ~ p ) $=
      vp vq neg imp vq vp neg imp contra2.i.1 vp vq contra2 mp $.
  $}
  ${
    contra3.i.1 $e |- ( ~ p -> q ) $.
    contra3.i $p |- ( ~ q -> p ) $=
      vp neg vq imp vq neg vp imp contra3.i.1 vp vq contra3 mp $.
  $}
  ${
    tollens.i.1 $e |- ( p -> q ) $.
    tollens.i.2 $e |- ~ q $.
    tollens.i $p |- ~ p $=
      vq neg vp neg tollens.i.2 vp vq tollens.i.1 contra.i mp $.
  $}
  tollens $p |- ( ~ q -> ( ( p -> q ) -> ~ p ) ) $=
    vp vq imp vq neg vp neg vp vq contra swap.i $.
  $( Reductio ad absurdum $)
  refute $p |- ( ( p -> q ) -> ( ( p -> ~ q ) -> ~ p ) ) $=
    vp vq imp vp vq neg imp vp vp neg imp imp vp vq neg imp vp neg imp vp vq imp vp vq neg vp neg imp imp vp
    vq neg imp vp vp neg imp imp vq vq neg vp neg imp imp vp vq imp vp vq neg vp neg imp imp imp vq vp neg
    absurd2 vp vq vq neg vp neg imp comp mp vp vq neg vp neg ax2 comp.i vp vp neg imp vp neg imp vp vq neg imp
    vp vp neg imp imp vp vq neg imp vp neg imp imp vp reduct vp vq neg imp vp vp neg imp vp neg comp mp comp.i $.
  refute2 $p |- ( ( ~ p -> q ) -> ( ( ~ p -> ~ q ) -> p ) ) $=
    vp neg vq imp vp neg vq neg imp vp neg vp imp imp vp neg vq neg imp vp imp vp neg vq imp vp neg vq neg vp
    imp imp vp neg vq neg imp vp neg vp imp imp vq vq neg vp imp imp vp neg vq imp vp neg vq neg vp imp imp
    imp vq vp absurd2 vp neg vq vq neg vp imp comp mp vp neg vq neg vp ax2 comp.i vp neg vp imp vp imp vp neg
    vq neg imp vp neg vp imp imp vp neg vq neg imp vp imp imp vp clavius vp neg vq neg imp vp neg vp imp vp
    comp mp comp.i $.
  inner.contra $p |- ( ( p -> ( q -> r ) ) -> ( p -> ( ~ r -> ~ q ) ) ) $=
    vq vr imp vr neg vq neg imp imp vp vq vr imp imp vp vr neg vq neg imp imp imp vq vr contra vp vq vr imp vr
    neg vq neg imp comp mp $.
  ${
    refute.i.1 $e |- ( p -> q ) $.
    refute.i.2 $e |- ( p -> ~ q ) $.
    refute.i $p |- ~ p $=
      vp vq neg imp vp neg refute.i.2 vp vq imp vp vq neg imp vp neg imp refute.i.1 vp vq refute mp mp $.
  $}

$( Negation: cases $)

  $( Proof by cases $)
  cases $p |- ( ( p -> q ) -> ( ( ~ p -> q ) -> q ) ) $=
    vp vq imp vp neg vq imp vq neg vq imp imp vp neg vq imp vq imp vp vq imp vq neg vp neg imp vp neg vq imp
    vq neg vq imp imp vp vq contra vp neg vq imp vq neg vp neg imp vq neg vq imp vq neg vp neg vq comp swap.i
    comp.i vq neg vq imp vq imp vp neg vq imp vq neg vq imp imp vp neg vq imp vq imp imp vq clavius vp neg vq
    imp vq neg vq imp vq comp mp comp.i $.
  ${
    cases.i.1 $e |- ( p -> q ) $.
    cases.i.2 $e |- ( ~ p -> q ) $.
    cases.i $p |- q $=
      vp neg vq imp vq cases.i.2 vp vq imp vp neg vq imp vq imp cases.i.1 vp vq cases mp mp $.
  $}
  fallback $p |- ( ( ~ p -> r ) -> ( ( q -> r ) -> ( ( p -> q ) -> r ) ) ) $=
    vq vr imp vp neg vr imp vp vq imp vr imp vq vr imp vp vq imp vp neg vr imp vr imp imp vp neg vr imp vp vq
    imp vr imp imp vq vr imp vp vq imp vp vr imp imp vp vq imp vp neg vr imp vr imp imp vp vq vr comp vp vr
    imp vp neg vr imp vr imp imp vp vq imp vp vr imp imp vp vq imp vp neg vr imp vr imp imp imp vp vr cases vp
    vq imp vp vr imp vp neg vr imp vr imp comp mp comp.i vp vq imp vp neg vr imp vr swap comp.i swap.i $.
  keep $p |- ( ( ( p -> q ) -> r ) -> ( ~ p -> r ) ) $=
    vp vq imp vr imp vp neg vp vq imp imp vp neg vr imp vp neg vp vq imp imp vp vq imp vr imp vp vq absurd
    const.i vp neg vp vq imp vr comp apply.i $.
  peirce2 $p |- ( ( ( p -> q ) -> r ) -> ( ( p -> r ) -> r ) ) $=
    vp vq imp vr imp vp neg vr imp vp vr imp vr imp vp vq vr keep vp vr imp vp neg vr imp vr vp vr cases
    swap.i comp.i $.
  linear $p |- ( ~ ( p -> q ) -> ( q -> p ) ) $=
    vp vq imp neg vp vq vp imp vp neg vp vq imp imp vp vq imp neg vp imp vp vq absurd vp vp vq imp contra3 mp
    vp vq ax1 comp.i $.
  linear2 $p |- ( ( ( p -> q ) -> r ) -> ( ( ( q -> p ) -> r ) -> r ) ) $=
    vp vq imp vr imp vq vp imp vr imp vp vq imp neg vr imp imp vq vp imp vr imp vr imp vq vp imp vr imp vp vq
    imp neg vr imp imp vp vq imp vr imp vq vp imp vr imp vp vq imp neg vq vp imp imp vp vq imp neg vr imp vp
    vq imp neg vq vp imp imp vq vp imp vr imp vp vq linear const.i vp vq imp neg vq vp imp vr comp apply.i
    const.i vp vq imp vr imp vp vq imp neg vr imp vr imp vq vp imp vr imp vp vq imp neg vr imp imp vq vp imp
    vr imp vr imp imp vp vq imp vr cases vq vp imp vr imp vp vq imp neg vr imp vr comp comp.i apply.i $.

$( Conjunction, written ~ ( p -> ~ q ) $)

  and.left $p |- ( ~ ( p -> q ) -> p ) $=
    vp neg vp vq imp imp vp vq imp neg vp imp vp vq absurd vp vp vq imp contra3 mp $.
  not.right $p |- ( ~ ( p -> q ) -> ~ q ) $=
    vq vp vq imp vq vp ax1 contra.i $.
  and.right $p |- ( ~ ( p -> ~ q ) -> q ) $=
    vq neg vp vq neg imp imp vp vq neg imp neg vq imp vq neg vp ax1 vq vp vq neg imp contra3 mp $.
  and $p |- ( p -> ( q -> ~ ( p -> ~ q ) ) ) $=
    vp vp vq neg imp vq neg imp vq vp vq neg imp neg imp vp vq neg imp vp vq neg vp vq neg imp refl swap.i vp
    vq neg imp vq contra2 comp.i $.
  ${
    and.i.1 $e |- p $.
    and.i.2 $e |- q $.
    and.i $p |- ~ ( p -> ~ q ) $=
      vq vp vq neg imp neg and.i.2 vp vq vp vq neg imp neg imp and.i.1 vp vq and mp mp $.
  $}
  and.swap $p |- ( ~ ( p -> ~ q ) -> ~ ( q -> ~ p ) ) $=
    vq vp neg imp vp vq neg imp vq vp contra2 contra.i $.
  export $p |- ( ( ~ ( p -> ~ q ) -> r ) -> ( p -> ( q -> r ) ) ) $=
    vp vq neg imp neg vr imp vp vq vp vq neg imp neg imp imp vp vq vr imp imp vp vq vp vq neg imp neg imp imp
    vp vq neg imp neg vr imp vp vq and const.i vp vq neg imp neg vr imp vq vp vq neg imp neg imp vq vr imp imp
    vp vq vp vq neg imp neg imp imp vp vq vr imp imp imp vq vp vq neg imp neg vr comp vp vq vp vq neg imp neg
    imp vq vr imp comp comp.i apply.i $.
  import $p |- ( ( p -> ( q -> r ) ) -> ( ~ ( p -> ~ q ) -> r ) ) $=
    vp vq vr imp imp vp vq neg imp neg vq imp vp vq neg imp neg vr imp vp vq neg imp neg vq imp vp vq vr imp
    imp vp vq and.right const.i vp vq vr imp imp vp vq neg imp neg vq vr imp imp vp vq neg imp neg vq imp vp
    vq neg imp neg vr imp imp vp vq vr imp imp vp vq neg imp neg vp imp vp vq neg imp neg vq vr imp imp vp vq
    neg imp neg vp imp vp vq vr imp imp vp vq neg and.left const.i vp vq neg imp neg vp vq vr imp comp apply.i
    vp vq neg imp neg vq vr ax2 comp.i apply.i $.
  and.both $p |- ( ( p -> q ) -> ( ( p -> r ) -> ( p -> ~ ( q -> ~ r ) ) ) ) $=
    vp vq imp vp vr vq vr neg imp neg imp imp vp vr imp vp vq vr neg imp neg imp imp vq vr vq vr neg imp neg
    imp imp vp vq imp vp vr vq vr neg imp neg imp imp imp vq vr and vp vq vr vq vr neg imp neg imp comp mp vp
    vr vq vr neg imp neg ax2 comp.i $.
  and.mono $p |- ( ( p -> q ) -> ( ~ ( p -> ~ r ) -> ~ ( q -> ~ r ) ) ) $=
    vp vq imp vq vr neg imp vp vr neg imp imp vp vr neg imp neg vq vr neg imp neg imp vq vr neg imp vp vq imp
    vp vr neg imp vp vq vr neg comp swap.i vq vr neg imp vp vr neg imp contra comp.i $.

$( Disjunction, written ( ~ p -> q ) $)

  or.elim $p |- ( ( p -> r ) -> ( ( q -> r ) -> ( ( ~ p -> q ) -> r ) ) ) $=
    vp vr imp vq vr imp vp neg vq imp vp neg vr imp imp imp vq vr imp vp neg vq imp vr imp imp vq vr imp vp
    neg vq imp vp neg vr imp imp imp vp vr imp vp neg vq vr comp const.i vp vr imp vp neg vq imp vp neg vr imp
    imp vp neg vq imp vr imp imp vq vr imp vp neg vq imp vp neg vr imp imp imp vq vr imp vp neg vq imp vr imp
    imp imp vp vr imp vp neg vr imp vr imp vp neg vq imp vp neg vr imp imp vp neg vq imp vr imp imp vp vr
    cases vp neg vq imp vp neg vr imp vr comp comp.i vq vr imp vp neg vq imp vp neg vr imp imp vp neg vq imp
    vr imp comp comp.i apply.i $.
  or.mono $p |- ( ( p -> q ) -> ( ( ~ p -> r ) -> ( ~ q -> r ) ) ) $=
    vp vq imp vq neg vp neg imp vp neg vr imp vq neg vr imp imp vp vq contra vp neg vr imp vq neg vp neg imp
    vq neg vr imp vq neg vp neg vr comp swap.i comp.i $.
  or.assoc $p |- ( ( ~ ( ~ p -> q ) -> r ) -> ( ~ p -> ( ~ q -> r ) ) ) $=
    vp neg vq neg vp neg vq imp neg imp imp vp neg vq imp neg vr imp vp neg vq neg vr imp imp imp vp neg vp
    neg vq imp vq imp vq neg vp neg vq imp neg imp vp neg vq imp vp neg vq vp neg vq imp refl swap.i vp neg vq
    imp vq contra comp.i vp neg vq imp neg vr imp vp neg vq neg vp neg vq imp neg imp imp vp neg vq neg vr imp
    imp vp neg vq imp neg vr imp vq neg vp neg vq imp neg imp vq neg vr imp imp vp neg vq neg vp neg vq imp
    neg imp imp vp neg vq neg vr imp imp imp vq neg vp neg vq imp neg vr comp vp neg vq neg vp neg vq imp neg
    imp vq neg vr imp comp comp.i swap.i mp $.
  resolve $p |- ( ( ~ p -> q ) -> ( ( p -> r ) -> ( ~ r -> q ) ) ) $=
    vp neg vq imp vp vr imp vr neg vp neg imp imp vp vr imp vr neg vq imp imp vp vr imp vr neg vp neg imp imp
    vp neg vq imp vp vr contra const.i vp neg vq imp vr neg vp neg imp vr neg vq imp imp vp vr imp vr neg vp
    neg imp imp vp vr imp vr neg vq imp imp imp vr neg vp neg vq comp vp vr imp vr neg vp neg imp vr neg vq
    imp comp comp.i apply.i $.
  dilemma $p |- ( ( p -> q ) -> ( ( r -> s ) -> ( ( ~ p -> r ) -> ( ~ q -> s ) ) ) ) $=
    vp vq imp vp neg vr imp vq neg vr imp imp vr vs imp vp neg vr imp vq neg vs imp imp imp vp vq imp vq neg
    vp neg imp vp neg vr imp vq neg vr imp imp vp vq contra vp neg vr imp vq neg vp neg imp vq neg vr imp vq
    neg vp neg vr comp swap.i comp.i vr vs imp vp neg vr imp vq neg vr imp imp vp neg vr imp vq neg vs imp imp
    vr vs imp vq neg vr imp vq neg vs imp imp vp neg vr imp vq neg vr imp imp vp neg vr imp vq neg vs imp imp
    imp vq neg vr vs comp vp neg vr imp vq neg vr imp vq neg vs imp comp comp.i swap.i comp.i $.

$( Single axioms $)

  $( Meredith's single axiom $)
  meredith $p |- ( ( ( ( ( p -> q ) -> ( ~ r -> ~ s ) ) -> r ) -> t ) -> ( ( t -> p ) -> ( s -> p ) ) ) $=
    vp vq imp vr neg vs neg imp imp vr imp vt imp vt vp imp vs vp neg vp imp imp imp vt vp imp vs vp imp imp
    vp vq imp vr neg vs neg imp imp vr imp vt imp vs vp neg vt imp imp vt vp imp vs vp neg vp imp imp imp vs
    vp neg vp vq imp vr neg vs neg imp imp vr imp imp imp vp vq imp vr neg vs neg imp imp vr imp vt imp vs vp
    neg vt imp imp imp vp neg vs vp vq imp vr neg vs neg imp imp vr imp vp neg vp vq imp vr neg vs neg imp imp
    vs vr imp imp vs vp vq imp vr neg vs neg imp imp vr imp imp vp neg vp vq imp vr neg vs neg imp imp vr neg
    vs neg imp imp vp vq imp vr neg vs neg imp imp vs vr imp imp vp neg vp vq imp vp vq imp vr neg vs neg imp
    imp vr neg vs neg imp imp vp vq absurd vp vq imp vr neg vs neg imp imp vp vq imp vr neg vs neg imp vp vq
    imp vr neg vs neg imp imp refl swap.i comp.i vr neg vs neg imp vs vr imp imp vp vq imp vr neg vs neg imp
    imp vr neg vs neg imp imp vp vq imp vr neg vs neg imp imp vs vr imp imp imp vr vs ax3 vp vq imp vr neg vs
    neg imp imp vr neg vs neg imp vs vr imp comp mp comp.i vp vq imp vr neg vs neg imp imp vs vr swap comp.i
    swap.i vp vq imp vr neg vs neg imp imp vr imp vt imp vs vp neg vp vq imp vr neg vs neg imp imp vr imp imp
    imp vs vp neg vt imp imp vp vq imp vr neg vs neg imp imp vr imp vt imp vp neg vp vq imp vr neg vs neg imp
    imp vr imp imp vp neg vt imp imp vs vp neg vp vq imp vr neg vs neg imp imp vr imp imp imp vs vp neg vt imp
    imp imp vp neg vp vq imp vr neg vs neg imp imp vr imp vt comp vs vp neg vp vq imp vr neg vs neg imp imp vr
    imp imp vp neg vt imp comp comp.i swap.i mp vt vp imp vs vp neg vt imp imp vs vp neg vp imp imp vt vp imp
    vp neg vt imp vp neg vp imp imp vs vp neg vt imp imp vs vp neg vp imp imp imp vp neg vt vp comp vs vp neg
    vt imp vp neg vp imp comp comp.i swap.i comp.i vs vp neg vp imp imp vs vp imp imp vt vp imp vs vp neg vp
    imp imp imp vt vp imp vs vp imp imp imp vp neg vp imp vp imp vs vp neg vp imp imp vs vp imp imp vp clavius
    vs vp neg vp imp vp comp mp vt vp imp vs vp neg vp imp imp vs vp imp comp mp comp.i $.
  $( Lukasiewicz's shortest axiom of implication $)
  tarski $p |- ( ( ( p -> q ) -> r ) -> ( ( r -> p ) -> ( s -> p ) ) ) $=
    vp vq imp vr imp vr vp imp vp imp vr vp imp vs vp imp imp vp vq imp vr imp vr vp imp vp neg vp imp imp vr
    vp imp vp imp vp vq imp vr imp vp neg vr imp vr vp imp vp neg vp imp imp vp neg vp vq imp imp vp vq imp vr
    imp vp neg vr imp imp vp vq absurd vp vq imp vr imp vp neg vp vq imp imp vp neg vr imp vp neg vp vq imp vr
    comp swap.i mp vr vp imp vp neg vr imp vp neg vp imp vp neg vr vp comp swap.i comp.i vp neg vp imp vp imp
    vr vp imp vp neg vp imp imp vr vp imp vp imp imp vp clavius vr vp imp vp neg vp imp vp comp mp comp.i vp
    vs vp imp imp vr vp imp vp imp vr vp imp vs vp imp imp imp vp vs ax1 vr vp imp vp vs vp imp comp mp comp.i $.
