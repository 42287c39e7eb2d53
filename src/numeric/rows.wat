;; Inner loops on float64 matrices that stand by rows: sums of rows, a sweep of coordinate descent, and the rows of a
;; Cholesky factor. Addresses are in bytes, all else in values. No multiplication is fused with an addition, and no order
;; of summation is left open: results are the same everywhere. Arrays end in 64 bytes that loops may run over
;; (rowMemory.ts); what stands there comes to nothing.
;; Above 300 lines, since the text form has no shorter one for a loop that keeps eight rows in registers.
;; Bytes 0–63 hold the block of a sweep, 64–127 up to eight coefficients, 128–159 the addresses of their rows.
(module
  (import "rows" "memory" (memory 0))

  ;; `to` [n] += sign · Σ_j coefficients[j] · row j of `matrix` [n × n]. Coefficients of 0 cost nothing.
  (func (export "addRows")
    (param $to i32) (param $n i32) (param $matrix i32) (param $coefficients i32) (param $sign f64)
    (local $left i32) (local $rowBytes i32) (local $held i32) (local $coefficient f64)
    (local.set $left (local.get $n))
    (local.set $rowBytes (i32.shl (local.get $n) (i32.const 3)))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $left)))
        (local.set $coefficient (f64.load (local.get $coefficients)))
        (if (f64.ne (local.get $coefficient) (f64.const 0))
          (then
            (local.set $held
              (call $hold (local.get $held) (local.get $matrix)
                (f64.mul (local.get $sign) (local.get $coefficient)) (local.get $to) (local.get $n)))))
        (local.set $coefficients (i32.add (local.get $coefficients) (i32.const 8)))
        (local.set $matrix (i32.add (local.get $matrix) (local.get $rowBytes)))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br $next)))
    (call $add (local.get $held) (local.get $to) (local.get $n)))

  ;; One sweep of the LASSO's coordinate descent: `weights` and g = c − Gw, both [n], with G = `gram`; units whose `held`
  ;; [n] isn't 0 stay, as do weights that would change by no more than `least`. Gives how many changed.
  (func (export "sweep")
    (param $n i32) (param $gram i32) (param $g i32) (param $weights i32) (param $held i32)
    (param $alpha f64) (param $least f64) (result i32)
    (local $bytes i32) (local $start i32) (local $end i32) (local $at i32) (local $row i32) (local $own i32)
    (local $pending i32) (local $k i32) (local $changed i32)
    (local $old f64) (local $next f64) (local $z f64) (local $variance f64) (local $step f64)
    (local $s v128) (local $a v128) (local $b v128) (local $c v128) (local $d v128)
    (local.set $bytes (i32.shl (local.get $n) (i32.const 3)))
    (local.set $row (local.get $gram))
    (block $done
      (loop $block
        (br_if $done (i32.ge_u (local.get $start) (local.get $bytes)))
        ;; g of eight units, changes not yet added to it included
        (local.set $own (i32.add (local.get $g) (local.get $start)))
        (local.set $a (v128.load (local.get $own)))
        (local.set $b (v128.load offset=16 (local.get $own)))
        (local.set $c (v128.load offset=32 (local.get $own)))
        (local.set $d (v128.load offset=48 (local.get $own)))
        (local.set $k (i32.const 0))
        (block $current
          (loop $change
            (br_if $current (i32.eq (local.get $k) (local.get $pending)))
            (local.set $s (v128.load64_splat offset=64 (i32.shl (local.get $k) (i32.const 3))))
            (local.set $own (i32.add (i32.load offset=128 (i32.shl (local.get $k) (i32.const 2))) (local.get $start)))
            (local.set $a (f64x2.add (local.get $a) (f64x2.mul (local.get $s) (v128.load (local.get $own)))))
            (local.set $b (f64x2.add (local.get $b) (f64x2.mul (local.get $s) (v128.load offset=16 (local.get $own)))))
            (local.set $c (f64x2.add (local.get $c) (f64x2.mul (local.get $s) (v128.load offset=32 (local.get $own)))))
            (local.set $d (f64x2.add (local.get $d) (f64x2.mul (local.get $s) (v128.load offset=48 (local.get $own)))))
            (local.set $k (i32.add (local.get $k) (i32.const 1)))
            (br $change)))
        (v128.store (i32.const 0) (local.get $a))
        (v128.store (i32.const 16) (local.get $b))
        (v128.store (i32.const 32) (local.get $c))
        (v128.store (i32.const 48) (local.get $d))
        ;; unit after unit: each sees what those before it changed
        (local.set $at (local.get $start))
        (local.set $end (i32.add (local.get $start) (i32.const 64)))
        (if (i32.gt_u (local.get $end) (local.get $bytes)) (then (local.set $end (local.get $bytes))))
        (loop $unit
          (block $stays
            (br_if $stays (f64.ne (f64.load (i32.add (local.get $held) (local.get $at))) (f64.const 0)))
            (local.set $old (f64.load (i32.add (local.get $weights) (local.get $at))))
            (local.set $variance (f64.load (i32.add (local.get $row) (local.get $at))))
            (local.set $z
              (f64.add
                (f64.load (i32.sub (local.get $at) (local.get $start)))
                (f64.mul (local.get $variance) (local.get $old))))
            (local.set $next (f64.const 0))
            (if (f64.gt (local.get $z) (local.get $alpha))
              (then (local.set $next (f64.div (f64.sub (local.get $z) (local.get $alpha)) (local.get $variance))))
              (else
                (if (f64.lt (local.get $z) (f64.neg (local.get $alpha)))
                  (then
                    (local.set $next (f64.div (f64.add (local.get $z) (local.get $alpha)) (local.get $variance)))))))
            (local.set $step (f64.sub (local.get $old) (local.get $next)))
            (br_if $stays (f64.le (f64.abs (local.get $step)) (local.get $least)))
            (f64.store (i32.add (local.get $weights) (local.get $at)) (local.get $next))
            (local.set $changed (i32.add (local.get $changed) (i32.const 1)))
            (local.set $s (f64x2.splat (local.get $step)))
            (local.set $own (i32.add (local.get $row) (local.get $start)))
            (v128.store (i32.const 0)
              (f64x2.add (v128.load (i32.const 0)) (f64x2.mul (local.get $s) (v128.load (local.get $own)))))
            (v128.store (i32.const 16)
              (f64x2.add (v128.load (i32.const 16)) (f64x2.mul (local.get $s) (v128.load offset=16 (local.get $own)))))
            (v128.store (i32.const 32)
              (f64x2.add (v128.load (i32.const 32)) (f64x2.mul (local.get $s) (v128.load offset=32 (local.get $own)))))
            (v128.store (i32.const 48)
              (f64x2.add (v128.load (i32.const 48)) (f64x2.mul (local.get $s) (v128.load offset=48 (local.get $own)))))
            (local.set $pending
              (call $hold (local.get $pending) (local.get $row) (local.get $step) (local.get $g) (local.get $n))))
          (local.set $row (i32.add (local.get $row) (local.get $bytes)))
          (br_if $unit (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8))) (local.get $end))))
        (local.set $start (i32.add (local.get $start) (i32.const 64)))
        (br $block)))
    (call $add (local.get $pending) (local.get $g) (local.get $n))
    (local.get $changed))

  ;; Holds one more row with its coefficient; gives how many are held, 0 where they were eight and have been added.
  (func $hold
    (param $held i32) (param $row i32) (param $coefficient f64) (param $to i32) (param $n i32) (result i32)
    (f64.store offset=64 (i32.shl (local.get $held) (i32.const 3)) (local.get $coefficient))
    (i32.store offset=128 (i32.shl (local.get $held) (i32.const 2)) (local.get $row))
    (if (i32.lt_u (local.get $held) (i32.const 7)) (then (return (i32.add (local.get $held) (i32.const 1)))))
    (call $addEight (local.get $to) (local.get $n))
    (i32.const 0))

  ;; Adds the rows held, fewer than eight. Others stand in for those missing, times 0.
  (func $add (param $held i32) (param $to i32) (param $n i32)
    (local $k i32)
    (if (i32.eqz (local.get $held)) (then (return)))
    (local.set $k (local.get $held))
    (loop $fill
      (f64.store offset=64 (i32.shl (local.get $k) (i32.const 3)) (f64.const 0))
      (i32.store offset=128 (i32.shl (local.get $k) (i32.const 2)) (i32.load (i32.const 128)))
      (br_if $fill (i32.lt_u (local.tee $k (i32.add (local.get $k) (i32.const 1))) (i32.const 8))))
    (if (i32.gt_u (local.get $held) (i32.const 4))
      (then (call $addEight (local.get $to) (local.get $n)))
      (else (call $addFour (local.get $to) (local.get $n)))))

  (func $addEight (param $to i32) (param $n i32)
    (local $end i32)
    (local $r0 i32) (local $r1 i32) (local $r2 i32) (local $r3 i32)
    (local $r4 i32) (local $r5 i32) (local $r6 i32) (local $r7 i32)
    (local $c0 v128) (local $c1 v128) (local $c2 v128) (local $c3 v128)
    (local $c4 v128) (local $c5 v128) (local $c6 v128) (local $c7 v128)
    (local.set $c0 (v128.load64_splat (i32.const 64)))
    (local.set $c1 (v128.load64_splat (i32.const 72)))
    (local.set $c2 (v128.load64_splat (i32.const 80)))
    (local.set $c3 (v128.load64_splat (i32.const 88)))
    (local.set $c4 (v128.load64_splat (i32.const 96)))
    (local.set $c5 (v128.load64_splat (i32.const 104)))
    (local.set $c6 (v128.load64_splat (i32.const 112)))
    (local.set $c7 (v128.load64_splat (i32.const 120)))
    (local.set $r0 (i32.load (i32.const 128)))
    (local.set $r1 (i32.load (i32.const 132)))
    (local.set $r2 (i32.load (i32.const 136)))
    (local.set $r3 (i32.load (i32.const 140)))
    (local.set $r4 (i32.load (i32.const 144)))
    (local.set $r5 (i32.load (i32.const 148)))
    (local.set $r6 (i32.load (i32.const 152)))
    (local.set $r7 (i32.load (i32.const 156)))
    (local.set $end (i32.add (local.get $to) (i32.shl (local.get $n) (i32.const 3))))
    (loop $four
      (v128.store (local.get $to)
        (f64x2.add
          (v128.load (local.get $to))
          (f64x2.add
            (f64x2.add
              (f64x2.add
                (f64x2.mul (local.get $c0) (v128.load (local.get $r0)))
                (f64x2.mul (local.get $c1) (v128.load (local.get $r1))))
              (f64x2.add
                (f64x2.mul (local.get $c2) (v128.load (local.get $r2)))
                (f64x2.mul (local.get $c3) (v128.load (local.get $r3)))))
            (f64x2.add
              (f64x2.add
                (f64x2.mul (local.get $c4) (v128.load (local.get $r4)))
                (f64x2.mul (local.get $c5) (v128.load (local.get $r5))))
              (f64x2.add
                (f64x2.mul (local.get $c6) (v128.load (local.get $r6)))
                (f64x2.mul (local.get $c7) (v128.load (local.get $r7))))))))
      (v128.store offset=16 (local.get $to)
        (f64x2.add
          (v128.load offset=16 (local.get $to))
          (f64x2.add
            (f64x2.add
              (f64x2.add
                (f64x2.mul (local.get $c0) (v128.load offset=16 (local.get $r0)))
                (f64x2.mul (local.get $c1) (v128.load offset=16 (local.get $r1))))
              (f64x2.add
                (f64x2.mul (local.get $c2) (v128.load offset=16 (local.get $r2)))
                (f64x2.mul (local.get $c3) (v128.load offset=16 (local.get $r3)))))
            (f64x2.add
              (f64x2.add
                (f64x2.mul (local.get $c4) (v128.load offset=16 (local.get $r4)))
                (f64x2.mul (local.get $c5) (v128.load offset=16 (local.get $r5))))
              (f64x2.add
                (f64x2.mul (local.get $c6) (v128.load offset=16 (local.get $r6)))
                (f64x2.mul (local.get $c7) (v128.load offset=16 (local.get $r7))))))))
      (local.set $r0 (i32.add (local.get $r0) (i32.const 32)))
      (local.set $r1 (i32.add (local.get $r1) (i32.const 32)))
      (local.set $r2 (i32.add (local.get $r2) (i32.const 32)))
      (local.set $r3 (i32.add (local.get $r3) (i32.const 32)))
      (local.set $r4 (i32.add (local.get $r4) (i32.const 32)))
      (local.set $r5 (i32.add (local.get $r5) (i32.const 32)))
      (local.set $r6 (i32.add (local.get $r6) (i32.const 32)))
      (local.set $r7 (i32.add (local.get $r7) (i32.const 32)))
      (br_if $four
        (i32.lt_u (local.tee $to (i32.add (local.get $to) (i32.const 32))) (local.get $end)))))

  (func $addFour (param $to i32) (param $n i32)
    (local $end i32)
    (local $r0 i32) (local $r1 i32) (local $r2 i32) (local $r3 i32)
    (local $c0 v128) (local $c1 v128) (local $c2 v128) (local $c3 v128)
    (local.set $c0 (v128.load64_splat (i32.const 64)))
    (local.set $c1 (v128.load64_splat (i32.const 72)))
    (local.set $c2 (v128.load64_splat (i32.const 80)))
    (local.set $c3 (v128.load64_splat (i32.const 88)))
    (local.set $r0 (i32.load (i32.const 128)))
    (local.set $r1 (i32.load (i32.const 132)))
    (local.set $r2 (i32.load (i32.const 136)))
    (local.set $r3 (i32.load (i32.const 140)))
    (local.set $end (i32.add (local.get $to) (i32.shl (local.get $n) (i32.const 3))))
    (loop $four
      (v128.store (local.get $to)
        (f64x2.add
          (v128.load (local.get $to))
          (f64x2.add
            (f64x2.add
              (f64x2.mul (local.get $c0) (v128.load (local.get $r0)))
              (f64x2.mul (local.get $c1) (v128.load (local.get $r1))))
            (f64x2.add
              (f64x2.mul (local.get $c2) (v128.load (local.get $r2)))
              (f64x2.mul (local.get $c3) (v128.load (local.get $r3)))))))
      (v128.store offset=16 (local.get $to)
        (f64x2.add
          (v128.load offset=16 (local.get $to))
          (f64x2.add
            (f64x2.add
              (f64x2.mul (local.get $c0) (v128.load offset=16 (local.get $r0)))
              (f64x2.mul (local.get $c1) (v128.load offset=16 (local.get $r1))))
            (f64x2.add
              (f64x2.mul (local.get $c2) (v128.load offset=16 (local.get $r2)))
              (f64x2.mul (local.get $c3) (v128.load offset=16 (local.get $r3)))))))
      (local.set $r0 (i32.add (local.get $r0) (i32.const 32)))
      (local.set $r1 (i32.add (local.get $r1) (i32.const 32)))
      (local.set $r2 (i32.add (local.get $r2) (i32.const 32)))
      (local.set $r3 (i32.add (local.get $r3) (i32.const 32)))
      (br_if $four
        (i32.lt_u (local.tee $to (i32.add (local.get $to) (i32.const 32))) (local.get $end)))))

  ;; The rest is of a Cholesky factor L of `size` rows, packed: row i begins at value i (i + 1) / 2.

  ;; L X = B in place for four columns, interleaved: panel[4 k + column]; and XᵀX to `products` [4 × 4], its lower triangle.
  ;; Two rows of L at a time: of an odd number the second of the last two is whatever stands there.
  (func (export "solvePanel") (param $size i32) (param $factor i32) (param $panel i32) (param $products i32)
    (local $i i32) (local $x i32) (local $upper i32) (local $lower i32)
    (local $left v128) (local $right v128) (local $s v128) (local $t v128)
    (local $ul v128) (local $ur v128) (local $ll v128) (local $lr v128) (local $ml v128) (local $mr v128)
    (local.set $upper (local.get $factor))
    (block $done
      (loop $pair
        (br_if $done (i32.ge_u (local.get $i) (local.get $size)))
        (local.set $lower (i32.add (local.get $upper) (i32.shl (i32.add (local.get $i) (i32.const 1)) (i32.const 3))))
        (local.set $x (local.get $panel))
        (local.set $factor (i32.add (local.get $upper) (i32.shl (local.get $i) (i32.const 3))))
        (local.set $ul (v128.const f64x2 0 0))
        (local.set $ur (v128.const f64x2 0 0))
        (local.set $ll (v128.const f64x2 0 0))
        (local.set $lr (v128.const f64x2 0 0))
        (block $products
          (loop $two
            (br_if $products (i32.eq (local.get $upper) (local.get $factor)))
            (local.set $left (v128.load (local.get $x)))
            (local.set $right (v128.load offset=16 (local.get $x)))
            (local.set $s (v128.load64_splat (local.get $upper)))
            (local.set $t (v128.load64_splat (local.get $lower)))
            (local.set $ul (f64x2.add (local.get $ul) (f64x2.mul (local.get $s) (local.get $left))))
            (local.set $ur (f64x2.add (local.get $ur) (f64x2.mul (local.get $s) (local.get $right))))
            (local.set $ll (f64x2.add (local.get $ll) (f64x2.mul (local.get $t) (local.get $left))))
            (local.set $lr (f64x2.add (local.get $lr) (f64x2.mul (local.get $t) (local.get $right))))
            (local.set $left (v128.load offset=32 (local.get $x)))
            (local.set $right (v128.load offset=48 (local.get $x)))
            (local.set $s (v128.load64_splat offset=8 (local.get $upper)))
            (local.set $t (v128.load64_splat offset=8 (local.get $lower)))
            (local.set $ul (f64x2.add (local.get $ul) (f64x2.mul (local.get $s) (local.get $left))))
            (local.set $ur (f64x2.add (local.get $ur) (f64x2.mul (local.get $s) (local.get $right))))
            (local.set $ll (f64x2.add (local.get $ll) (f64x2.mul (local.get $t) (local.get $left))))
            (local.set $lr (f64x2.add (local.get $lr) (f64x2.mul (local.get $t) (local.get $right))))
            (local.set $x (i32.add (local.get $x) (i32.const 64)))
            (local.set $upper (i32.add (local.get $upper) (i32.const 16)))
            (local.set $lower (i32.add (local.get $lower) (i32.const 16)))
            (br $two)))
        ;; here `upper` and `lower` are at column i
        (local.set $s (v128.load64_splat (local.get $upper)))
        (local.set $left (f64x2.div (f64x2.sub (v128.load (local.get $x)) (local.get $ul)) (local.get $s)))
        (local.set $right (f64x2.div (f64x2.sub (v128.load offset=16 (local.get $x)) (local.get $ur)) (local.get $s)))
        (v128.store (local.get $x) (local.get $left))
        (v128.store offset=16 (local.get $x) (local.get $right))
        (local.set $s (v128.load64_splat (local.get $lower)))
        (local.set $t (v128.load64_splat offset=8 (local.get $lower)))
        (v128.store offset=32 (local.get $x)
          (f64x2.div
            (f64x2.sub
              (f64x2.sub (v128.load offset=32 (local.get $x)) (local.get $ll))
              (f64x2.mul (local.get $s) (local.get $left)))
            (local.get $t)))
        (v128.store offset=48 (local.get $x)
          (f64x2.div
            (f64x2.sub
              (f64x2.sub (v128.load offset=48 (local.get $x)) (local.get $lr))
              (f64x2.mul (local.get $s) (local.get $right)))
            (local.get $t)))
        (local.set $upper (i32.add (local.get $lower) (i32.const 16)))
        (local.set $i (i32.add (local.get $i) (i32.const 2)))
        (br $pair)))

    ;; columns 0 and 1 of all four rows, 2 and 3 of the last two
    (local.set $ul (v128.const f64x2 0 0))
    (local.set $ur (v128.const f64x2 0 0))
    (local.set $ll (v128.const f64x2 0 0))
    (local.set $lr (v128.const f64x2 0 0))
    (local.set $ml (v128.const f64x2 0 0))
    (local.set $mr (v128.const f64x2 0 0))
    (local.set $x (local.get $panel))
    (local.set $upper (i32.add (local.get $panel) (i32.shl (local.get $size) (i32.const 5))))
    (block $done
      (loop $next
        (br_if $done (i32.eq (local.get $x) (local.get $upper)))
        (local.set $left (v128.load (local.get $x)))
        (local.set $right (v128.load offset=16 (local.get $x)))
        (local.set $ul (f64x2.add (local.get $ul) (f64x2.mul (v128.load64_splat (local.get $x)) (local.get $left))))
        (local.set $ur (f64x2.add (local.get $ur) (f64x2.mul (v128.load64_splat offset=8 (local.get $x)) (local.get $left))))
        (local.set $s (v128.load64_splat offset=16 (local.get $x)))
        (local.set $t (v128.load64_splat offset=24 (local.get $x)))
        (local.set $ll (f64x2.add (local.get $ll) (f64x2.mul (local.get $s) (local.get $left))))
        (local.set $lr (f64x2.add (local.get $lr) (f64x2.mul (local.get $t) (local.get $left))))
        (local.set $ml (f64x2.add (local.get $ml) (f64x2.mul (local.get $s) (local.get $right))))
        (local.set $mr (f64x2.add (local.get $mr) (f64x2.mul (local.get $t) (local.get $right))))
        (local.set $x (i32.add (local.get $x) (i32.const 32)))
        (br $next)))
    (v128.store (local.get $products) (local.get $ul))
    (v128.store offset=32 (local.get $products) (local.get $ur))
    (v128.store offset=64 (local.get $products) (local.get $ll))
    (v128.store offset=80 (local.get $products) (local.get $ml))
    (v128.store offset=96 (local.get $products) (local.get $lr))
    (v128.store offset=112 (local.get $products) (local.get $mr)))

  ;; One column of a panel, `size` values from `column` on, to `row`.
  (func (export "copyColumn") (param $size i32) (param $column i32) (param $row i32)
    (local $end i32)
    (local.set $end (i32.add (local.get $row) (i32.shl (local.get $size) (i32.const 3))))
    (block $done
      (loop $next
        (br_if $done (i32.eq (local.get $row) (local.get $end)))
        (f64.store (local.get $row) (f64.load (local.get $column)))
        (local.set $column (i32.add (local.get $column) (i32.const 32)))
        (local.set $row (i32.add (local.get $row) (i32.const 8)))
        (br $next))))

  ;; L y = x in place; gives Σ y². Four rows of L at a time.
  (func $solveLower (export "solveLower") (param $size i32) (param $factor i32) (param $x i32) (result f64)
    (local $i i32) (local $r0 i32) (local $r1 i32) (local $r2 i32) (local $r3 i32) (local $from i32) (local $end i32)
    (local $a v128) (local $b v128) (local $s v128) (local $t v128)
    (local $s0 v128) (local $s1 v128) (local $s2 v128) (local $s3 v128)
    (local $t0 v128) (local $t1 v128) (local $t2 v128) (local $t3 v128)
    (local $y0 f64) (local $y1 f64) (local $y2 f64)
    (local.set $r0 (local.get $factor))
    (local.set $end (local.get $x))
    (block $done
      (loop $rows
        (br_if $done (i32.gt_u (i32.add (local.get $i) (i32.const 4)) (local.get $size)))
        (local.set $r1 (i32.add (local.get $r0) (i32.shl (i32.add (local.get $i) (i32.const 1)) (i32.const 3))))
        (local.set $r2 (i32.add (local.get $r1) (i32.shl (i32.add (local.get $i) (i32.const 2)) (i32.const 3))))
        (local.set $r3 (i32.add (local.get $r2) (i32.shl (i32.add (local.get $i) (i32.const 3)) (i32.const 3))))
        (local.set $from (local.get $x))
        (local.set $s0 (v128.const f64x2 0 0))
        (local.set $s1 (v128.const f64x2 0 0))
        (local.set $s2 (v128.const f64x2 0 0))
        (local.set $s3 (v128.const f64x2 0 0))
        (local.set $t0 (v128.const f64x2 0 0))
        (local.set $t1 (v128.const f64x2 0 0))
        (local.set $t2 (v128.const f64x2 0 0))
        (local.set $t3 (v128.const f64x2 0 0))
        (block $summed
          (loop $four
            (br_if $summed (i32.eq (local.get $from) (local.get $end)))
            (local.set $a (v128.load (local.get $from)))
            (local.set $b (v128.load offset=16 (local.get $from)))
            (local.set $s0 (f64x2.add (local.get $s0) (f64x2.mul (v128.load (local.get $r0)) (local.get $a))))
            (local.set $s1 (f64x2.add (local.get $s1) (f64x2.mul (v128.load (local.get $r1)) (local.get $a))))
            (local.set $s2 (f64x2.add (local.get $s2) (f64x2.mul (v128.load (local.get $r2)) (local.get $a))))
            (local.set $s3 (f64x2.add (local.get $s3) (f64x2.mul (v128.load (local.get $r3)) (local.get $a))))
            (local.set $t0 (f64x2.add (local.get $t0) (f64x2.mul (v128.load offset=16 (local.get $r0)) (local.get $b))))
            (local.set $t1 (f64x2.add (local.get $t1) (f64x2.mul (v128.load offset=16 (local.get $r1)) (local.get $b))))
            (local.set $t2 (f64x2.add (local.get $t2) (f64x2.mul (v128.load offset=16 (local.get $r2)) (local.get $b))))
            (local.set $t3 (f64x2.add (local.get $t3) (f64x2.mul (v128.load offset=16 (local.get $r3)) (local.get $b))))
            (local.set $r0 (i32.add (local.get $r0) (i32.const 32)))
            (local.set $r1 (i32.add (local.get $r1) (i32.const 32)))
            (local.set $r2 (i32.add (local.get $r2) (i32.const 32)))
            (local.set $r3 (i32.add (local.get $r3) (i32.const 32)))
            (local.set $from (i32.add (local.get $from) (i32.const 32)))
            (br $four)))
        ;; here the rows are at column i; the triangle that is left
        (local.set $y0
          (f64.div
            (f64.sub (f64.load (local.get $from)) (call $across (f64x2.add (local.get $s0) (local.get $t0))))
            (f64.load (local.get $r0))))
        (local.set $y1
          (f64.div
            (f64.sub
              (f64.sub (f64.load offset=8 (local.get $from)) (call $across (f64x2.add (local.get $s1) (local.get $t1))))
              (f64.mul (f64.load (local.get $r1)) (local.get $y0)))
            (f64.load offset=8 (local.get $r1))))
        (local.set $y2
          (f64.div
            (f64.sub
              (f64.sub
                (f64.sub (f64.load offset=16 (local.get $from)) (call $across (f64x2.add (local.get $s2) (local.get $t2))))
                (f64.mul (f64.load (local.get $r2)) (local.get $y0)))
              (f64.mul (f64.load offset=8 (local.get $r2)) (local.get $y1)))
            (f64.load offset=16 (local.get $r2))))
        (f64.store (local.get $from) (local.get $y0))
        (f64.store offset=8 (local.get $from) (local.get $y1))
        (f64.store offset=16 (local.get $from) (local.get $y2))
        (f64.store offset=24 (local.get $from)
          (f64.div
            (f64.sub
              (f64.sub
                (f64.sub
                  (f64.sub (f64.load offset=24 (local.get $from)) (call $across (f64x2.add (local.get $s3) (local.get $t3))))
                  (f64.mul (f64.load (local.get $r3)) (local.get $y0)))
                (f64.mul (f64.load offset=8 (local.get $r3)) (local.get $y1)))
              (f64.mul (f64.load offset=16 (local.get $r3)) (local.get $y2)))
            (f64.load offset=24 (local.get $r3))))
        (local.set $r0 (i32.add (local.get $r3) (i32.const 32)))
        (local.set $end (i32.add (local.get $end) (i32.const 32)))
        (local.set $i (i32.add (local.get $i) (i32.const 4)))
        (br $rows)))
    ;; up to three rows, one by one
    (block $done
      (loop $row
        (br_if $done (i32.eq (local.get $i) (local.get $size)))
        (local.set $r1 (i32.add (local.get $r0) (i32.shl (local.get $i) (i32.const 3))))
        (f64.store (local.get $end)
          (f64.div
            (f64.sub (f64.load (local.get $end)) (call $dot (local.get $r0) (local.get $x) (local.get $i)))
            (f64.load (local.get $r1))))
        (local.set $r0 (i32.add (local.get $r1) (i32.const 8)))
        (local.set $end (i32.add (local.get $end) (i32.const 8)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $row)))
    (call $dot (local.get $x) (local.get $x) (local.get $size)))

  ;; L Lᵀ y = x in place. The second half by rows of L from the last, four at a time.
  (func (export "solve") (param $size i32) (param $factor i32) (param $x i32)
    (local $left i32) (local $r0 i32) (local $r1 i32) (local $r2 i32) (local $r3 i32) (local $to i32) (local $end i32)
    (local $y0 f64) (local $y1 f64) (local $y2 f64) (local $y3 f64)
    (local $s0 v128) (local $s1 v128) (local $s2 v128) (local $s3 v128)
    (drop (call $solveLower (local.get $size) (local.get $factor) (local.get $x)))
    (local.set $left (local.get $size))
    (block $done
      (loop $rows
        (br_if $done (i32.lt_u (local.get $left) (i32.const 4)))
        ;; r0 is the last row, of `left` values; each at its first value
        (local.set $r0
          (i32.add (local.get $factor)
            (i32.shl (i32.mul (local.get $left) (i32.sub (local.get $left) (i32.const 1))) (i32.const 2))))
        (local.set $r1 (i32.sub (local.get $r0) (i32.shl (i32.sub (local.get $left) (i32.const 1)) (i32.const 3))))
        (local.set $r2 (i32.sub (local.get $r1) (i32.shl (i32.sub (local.get $left) (i32.const 2)) (i32.const 3))))
        (local.set $left (i32.sub (local.get $left) (i32.const 4)))
        (local.set $r3 (i32.sub (local.get $r2) (i32.shl (i32.add (local.get $left) (i32.const 1)) (i32.const 3))))
        ;; the triangle of the last four columns
        (local.set $end (i32.add (local.get $x) (i32.shl (local.get $left) (i32.const 3))))
        (local.set $to (i32.shl (local.get $left) (i32.const 3)))
        (local.set $y0
          (f64.div (f64.load offset=24 (local.get $end)) (f64.load offset=24 (i32.add (local.get $r0) (local.get $to)))))
        (local.set $y1
          (f64.div
            (f64.sub
              (f64.load offset=16 (local.get $end))
              (f64.mul (local.get $y0) (f64.load offset=16 (i32.add (local.get $r0) (local.get $to)))))
            (f64.load offset=16 (i32.add (local.get $r1) (local.get $to)))))
        (local.set $y2
          (f64.div
            (f64.sub
              (f64.sub
                (f64.load offset=8 (local.get $end))
                (f64.mul (local.get $y0) (f64.load offset=8 (i32.add (local.get $r0) (local.get $to)))))
              (f64.mul (local.get $y1) (f64.load offset=8 (i32.add (local.get $r1) (local.get $to)))))
            (f64.load offset=8 (i32.add (local.get $r2) (local.get $to)))))
        (local.set $y3
          (f64.div
            (f64.sub
              (f64.sub
                (f64.sub
                  (f64.load (local.get $end))
                  (f64.mul (local.get $y0) (f64.load (i32.add (local.get $r0) (local.get $to)))))
                (f64.mul (local.get $y1) (f64.load (i32.add (local.get $r1) (local.get $to)))))
              (f64.mul (local.get $y2) (f64.load (i32.add (local.get $r2) (local.get $to)))))
            (f64.load (i32.add (local.get $r3) (local.get $to)))))
        (f64.store offset=24 (local.get $end) (local.get $y0))
        (f64.store offset=16 (local.get $end) (local.get $y1))
        (f64.store offset=8 (local.get $end) (local.get $y2))
        (f64.store (local.get $end) (local.get $y3))
        (local.set $s0 (f64x2.splat (local.get $y0)))
        (local.set $s1 (f64x2.splat (local.get $y1)))
        (local.set $s2 (f64x2.splat (local.get $y2)))
        (local.set $s3 (f64x2.splat (local.get $y3)))
        (local.set $to (local.get $x))
        (block $taken
          (loop $two
            (br_if $taken (i32.gt_u (i32.add (local.get $to) (i32.const 16)) (local.get $end)))
            (v128.store (local.get $to)
              (f64x2.sub
                (v128.load (local.get $to))
                (f64x2.add
                  (f64x2.add
                    (f64x2.mul (local.get $s0) (v128.load (local.get $r0)))
                    (f64x2.mul (local.get $s1) (v128.load (local.get $r1))))
                  (f64x2.add
                    (f64x2.mul (local.get $s2) (v128.load (local.get $r2)))
                    (f64x2.mul (local.get $s3) (v128.load (local.get $r3)))))))
            (local.set $r0 (i32.add (local.get $r0) (i32.const 16)))
            (local.set $r1 (i32.add (local.get $r1) (i32.const 16)))
            (local.set $r2 (i32.add (local.get $r2) (i32.const 16)))
            (local.set $r3 (i32.add (local.get $r3) (i32.const 16)))
            (local.set $to (i32.add (local.get $to) (i32.const 16)))
            (br $two)))
        (br_if $rows (i32.eq (local.get $to) (local.get $end)))
        (f64.store (local.get $to)
          (f64.sub
            (f64.load (local.get $to))
            (f64.add
              (f64.add
                (f64.mul (local.get $y0) (f64.load (local.get $r0)))
                (f64.mul (local.get $y1) (f64.load (local.get $r1))))
              (f64.add
                (f64.mul (local.get $y2) (f64.load (local.get $r2)))
                (f64.mul (local.get $y3) (f64.load (local.get $r3)))))))
        (br $rows)))
    ;; up to three rows, the first of L
    (block $done
      (loop $row
        (br_if $done (i32.eqz (local.get $left)))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (local.set $r0
          (i32.add (local.get $factor)
            (i32.shl (i32.mul (local.get $left) (i32.add (local.get $left) (i32.const 1))) (i32.const 2))))
        (local.set $end (i32.add (local.get $x) (i32.shl (local.get $left) (i32.const 3))))
        (local.set $y0
          (f64.div
            (f64.load (local.get $end))
            (f64.load (i32.add (local.get $r0) (i32.shl (local.get $left) (i32.const 3))))))
        (f64.store (local.get $end) (local.get $y0))
        (local.set $to (local.get $x))
        (loop $one
          (br_if $row (i32.eq (local.get $to) (local.get $end)))
          (f64.store (local.get $to)
            (f64.sub (f64.load (local.get $to)) (f64.mul (local.get $y0) (f64.load (local.get $r0)))))
          (local.set $r0 (i32.add (local.get $r0) (i32.const 8)))
          (local.set $to (i32.add (local.get $to) (i32.const 8)))
          (br $one)))))

  ;; Takes row k out of the `size` + 1 that there were: those below it move up by one, and a rotation each, kept in
  ;; `cosine` and `sine` [size], makes them a triangle again. Two rows at a time.
  (func (export "removeRow")
    (param $k i32) (param $size i32) (param $factor i32) (param $cosine i32) (param $sine i32)
    (local $r i32) (local $kBytes i32) (local $at i32) (local $end i32) (local $two i32)
    (local $to i32) (local $from i32) (local $below i32)
    (local $left v128) (local $right v128) (local $c v128) (local $s v128) (local $new v128)
    (local $own f64) (local $last f64) (local $length f64)
    (local.set $kBytes (i32.shl (local.get $k) (i32.const 3)))
    (local.set $r (local.get $k))
    (block $done
      (loop $rows
        (br_if $done (i32.ge_u (local.get $r) (local.get $size)))
        (local.set $two (i32.lt_u (i32.add (local.get $r) (i32.const 1)) (local.get $size)))
        ;; old row r + 1 becomes row r, old row r + 2, from `below` on, row r + 1, from `from` on
        (local.set $to
          (i32.add (local.get $factor)
            (i32.shl (i32.mul (local.get $r) (i32.add (local.get $r) (i32.const 1))) (i32.const 2))))
        (local.set $from (i32.add (local.get $to) (i32.shl (i32.add (local.get $r) (i32.const 1)) (i32.const 3))))
        (local.set $below (i32.add (local.get $from) (i32.shl (i32.add (local.get $r) (i32.const 2)) (i32.const 3))))
        (if (i32.eqz (local.get $two)) (then (local.set $below (local.get $from))))
        (memory.copy (local.get $to) (local.get $from) (local.get $kBytes))
        (local.set $left
          (v128.load64_lane 1 (i32.add (local.get $below) (local.get $kBytes))
            (v128.load64_zero (i32.add (local.get $from) (local.get $kBytes)))))
        (if (local.get $two) (then (memory.copy (local.get $from) (local.get $below) (local.get $kBytes))))
        (local.set $at (local.get $kBytes))
        (local.set $end (i32.shl (local.get $r) (i32.const 3)))
        (block $rotated
          (loop $column
            (br_if $rotated (i32.eq (local.get $at) (local.get $end)))
            (local.set $right
              (v128.load64_lane offset=8 1 (i32.add (local.get $below) (local.get $at))
                (v128.load64_zero offset=8 (i32.add (local.get $from) (local.get $at)))))
            (local.set $c (v128.load64_splat (i32.add (local.get $cosine) (local.get $at))))
            (local.set $s (v128.load64_splat (i32.add (local.get $sine) (local.get $at))))
            (local.set $new
              (f64x2.add (f64x2.mul (local.get $c) (local.get $left)) (f64x2.mul (local.get $s) (local.get $right))))
            (local.set $left
              (f64x2.sub (f64x2.mul (local.get $c) (local.get $right)) (f64x2.mul (local.get $s) (local.get $left))))
            (v128.store64_lane 0 (i32.add (local.get $to) (local.get $at)) (local.get $new))
            (if (local.get $two)
              (then (v128.store64_lane 1 (i32.add (local.get $from) (local.get $at)) (local.get $new))))
            (local.set $at (i32.add (local.get $at) (i32.const 8)))
            (br $column)))
        ;; the first row's own rotation, and the second's last one
        (local.set $own (f64x2.extract_lane 0 (local.get $left)))
        (local.set $last (f64.load offset=8 (i32.add (local.get $from) (local.get $at))))
        (local.set $length
          (f64.sqrt (f64.add (f64.mul (local.get $own) (local.get $own)) (f64.mul (local.get $last) (local.get $last)))))
        (f64.store (i32.add (local.get $to) (local.get $at)) (local.get $length))
        (f64.store (i32.add (local.get $cosine) (local.get $at)) (f64.div (local.get $own) (local.get $length)))
        (f64.store (i32.add (local.get $sine) (local.get $at)) (f64.div (local.get $last) (local.get $length)))
        (br_if $done (i32.eqz (local.get $two)))
        (local.set $c (v128.load64_splat (i32.add (local.get $cosine) (local.get $at))))
        (local.set $s (v128.load64_splat (i32.add (local.get $sine) (local.get $at))))
        (local.set $right (v128.load64_splat offset=8 (i32.add (local.get $below) (local.get $at))))
        (v128.store64_lane 1 (i32.add (local.get $from) (local.get $at))
          (f64x2.add (f64x2.mul (local.get $c) (local.get $left)) (f64x2.mul (local.get $s) (local.get $right))))
        (local.set $own
          (f64x2.extract_lane 1
            (f64x2.sub (f64x2.mul (local.get $c) (local.get $right)) (f64x2.mul (local.get $s) (local.get $left)))))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (local.set $last (f64.load offset=8 (i32.add (local.get $below) (local.get $at))))
        (local.set $length
          (f64.sqrt (f64.add (f64.mul (local.get $own) (local.get $own)) (f64.mul (local.get $last) (local.get $last)))))
        (f64.store (i32.add (local.get $from) (local.get $at)) (local.get $length))
        (f64.store (i32.add (local.get $cosine) (local.get $at)) (f64.div (local.get $own) (local.get $length)))
        (f64.store (i32.add (local.get $sine) (local.get $at)) (f64.div (local.get $last) (local.get $length)))
        (local.set $r (i32.add (local.get $r) (i32.const 2)))
        (br $rows))))

  ;; Σ of two rows' products, `count` values each.
  (func $dot (param $a i32) (param $b i32) (param $count i32) (result f64)
    (local $end i32) (local $s v128) (local $t v128) (local $sum f64)
    (local.set $end (i32.add (local.get $a) (i32.shl (i32.and (local.get $count) (i32.const -4)) (i32.const 3))))
    (block $done
      (loop $four
        (br_if $done (i32.eq (local.get $a) (local.get $end)))
        (local.set $s (f64x2.add (local.get $s) (f64x2.mul (v128.load (local.get $a)) (v128.load (local.get $b)))))
        (local.set $t
          (f64x2.add (local.get $t) (f64x2.mul (v128.load offset=16 (local.get $a)) (v128.load offset=16 (local.get $b)))))
        (local.set $a (i32.add (local.get $a) (i32.const 32)))
        (local.set $b (i32.add (local.get $b) (i32.const 32)))
        (br $four)))
    (local.set $sum (call $across (f64x2.add (local.get $s) (local.get $t))))
    (local.set $end (i32.add (local.get $end) (i32.shl (i32.and (local.get $count) (i32.const 3)) (i32.const 3))))
    (block $done
      (loop $one
        (br_if $done (i32.eq (local.get $a) (local.get $end)))
        (local.set $sum
          (f64.add (local.get $sum) (f64.mul (f64.load (local.get $a)) (f64.load (local.get $b)))))
        (local.set $a (i32.add (local.get $a) (i32.const 8)))
        (local.set $b (i32.add (local.get $b) (i32.const 8)))
        (br $one)))
    (local.get $sum))

  (func $across (param $pair v128) (result f64)
    (f64.add (f64x2.extract_lane 0 (local.get $pair)) (f64x2.extract_lane 1 (local.get $pair)))))
