;; The two inner loops of a walk over JSON, sixteen bytes at a time. What they
;; return is the same as that of the loops in byte_walk.ts, which go byte by byte;
;; tests/wire/json_walk_test.ts compares them.
;;
;; `deno task walk` makes simd_walk_built.ts of this text.
;;
;; The JSON lies in `memory` from some address on. The byte before it is 0, and
;; the sixteen bytes after it may be read, whatever they are.
(module
  ;; Is told of a string that may be "data" or "cache_control", with its quotes.
  (import "host" "found" (func $found (param $start i32) (param $end i32)))

  (memory (export "memory") 1)

  ;; Returns whether an odd number of backslashes stands before `quote`.
  (func $isEscaped (param $quote i32) (result i32)
    (local $at i32)
    (local.set $at (local.get $quote))
    (block $counted
      (loop $back
        (br_if $counted
          (i32.ne
            (i32.load8_u (i32.sub (local.get $at) (i32.const 1)))
            (i32.const 0x5c)))
        (local.set $at (i32.sub (local.get $at) (i32.const 1)))
        (br $back)))
    (i32.and (i32.sub (local.get $quote) (local.get $at)) (i32.const 1)))

  ;; Returns where the first quote from `at` on is that is not escaped, or -1.
  (func (export "quoteFrom") (param $at i32) (param $end i32) (result i32)
    (local $quotes i32) ;; a bit for each quote of the sixteen bytes
    (local $here i32)
    (block $none
      (loop $blocks
        (br_if $none (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $quotes
          (i8x16.bitmask
            (i8x16.eq
              (v128.load (local.get $at))
              (v128.const i32x4 0x22222222 0x22222222 0x22222222 0x22222222))))
        (block $next
          (loop $bits
            (br_if $next (i32.eqz (local.get $quotes)))
            (local.set $here
              (i32.add (local.get $at) (i32.ctz (local.get $quotes))))
            (br_if $none (i32.ge_u (local.get $here) (local.get $end)))
            (if (i32.eqz (call $isEscaped (local.get $here)))
              (then (return (local.get $here))))
            ;; Clears the lowest bit.
            (local.set $quotes
              (i32.and
                (local.get $quotes)
                (i32.sub (local.get $quotes) (i32.const 1))))
            (br $bits)))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (br $blocks)))
    (i32.const -1))

  ;; Tells the host of the string from `start` to before `end` if it may be one
  ;; of the two that it looks for.
  (func $tell (param $start i32) (param $end i32)
    (local $length i32)
    (local $letter i32)
    (local.set $length (i32.sub (local.get $end) (local.get $start)))
    (local.set $letter
      (i32.load8_u (i32.add (local.get $start) (i32.const 1))))
    (if
      (i32.or
        (i32.and
          (i32.eq (local.get $length) (i32.const 6))
          (i32.eq (local.get $letter) (i32.const 0x64))) ;; "data"
        (i32.and
          (i32.eq (local.get $length) (i32.const 15))
          (i32.eq (local.get $letter) (i32.const 0x63)))) ;; "cache_control"
      (then (call $found (local.get $start) (local.get $end)))))

  ;; Returns the address after the object or array that begins at `at`, or -1.
  (func (export "nestEnd") (param $at i32) (param $end i32) (result i32)
    (local $bytes v128)
    (local $quotes i32) ;; a bit for each quote of the sixteen bytes
    (local $opening i32) ;; … for each [ and {
    (local $brackets i32) ;; … for each of [ ] { }
    (local $marks i32) ;; … for what is still to be looked at
    (local $bit i32)
    (local $here i32)
    (local $depth i32)
    (local $start i32) ;; of the string that is being passed; 0: none
    (block $broken
      (loop $blocks
        (br_if $broken (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $bytes (v128.load (local.get $at)))
        (local.set $quotes
          (i8x16.bitmask
            (i8x16.eq
              (local.get $bytes)
              (v128.const i32x4 0x22222222 0x22222222 0x22222222 0x22222222))))
        (block $next
          ;; Most blocks lie within a string.
          (br_if $next
            (i32.and
              (i32.ne (local.get $start) (i32.const 0))
              (i32.eqz (local.get $quotes))))
          ;; 0x20 makes { of [ and } of ].
          (local.set $bytes
            (v128.or
              (local.get $bytes)
              (v128.const i32x4 0x20202020 0x20202020 0x20202020 0x20202020)))
          (local.set $opening
            (i8x16.bitmask
              (i8x16.eq
                (local.get $bytes)
                (v128.const i32x4 0x7b7b7b7b 0x7b7b7b7b 0x7b7b7b7b 0x7b7b7b7b))))
          (local.set $brackets
            (i32.or
              (local.get $opening)
              (i8x16.bitmask
                (i8x16.eq
                  (local.get $bytes)
                  (v128.const
                    i32x4 0x7d7d7d7d 0x7d7d7d7d 0x7d7d7d7d 0x7d7d7d7d)))))
          (local.set $marks
            (if (result i32) (local.get $start)
              (then (local.get $quotes))
              (else (i32.or (local.get $quotes) (local.get $brackets)))))
          (loop $bits
            (br_if $next (i32.eqz (local.get $marks)))
            (local.set $bit (i32.ctz (local.get $marks)))
            (local.set $here (i32.add (local.get $at) (local.get $bit)))
            (br_if $broken (i32.ge_u (local.get $here) (local.get $end)))
            (if (local.get $start)
              (then
                (if (i32.eqz (call $isEscaped (local.get $here)))
                  (then
                    (call $tell
                      (local.get $start)
                      (i32.add (local.get $here) (i32.const 1)))
                    (local.set $start (i32.const 0)))))
              (else
                (if
                  (i32.and
                    (i32.shr_u (local.get $quotes) (local.get $bit))
                    (i32.const 1))
                  (then (local.set $start (local.get $here)))
                  (else
                    (if
                      (i32.and
                        (i32.shr_u (local.get $opening) (local.get $bit))
                        (i32.const 1))
                      (then
                        (local.set $depth
                          (i32.add (local.get $depth) (i32.const 1))))
                      (else
                        (local.set $depth
                          (i32.sub (local.get $depth) (i32.const 1)))
                        (if (i32.eqz (local.get $depth))
                          (then
                            (return
                              (i32.add (local.get $here) (i32.const 1)))))))))))
            ;; What comes after this bit: quotes only, within a string.
            (local.set $marks
              (i32.and
                (i32.shl (i32.const -2) (local.get $bit))
                (if (result i32) (local.get $start)
                  (then (local.get $quotes))
                  (else (i32.or (local.get $quotes) (local.get $brackets))))))
            (br $bits)))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (br $blocks)))
    (i32.const -1)))
