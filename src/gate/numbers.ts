/** Numbers in the sentences of the gate: as short as they may be while what differs still does. */

/** A number of three significant digits; integers whole. */
export function rounded(value: number): string {
  return digits(value, 3);
}

/** Two numbers of as many significant digits as tell them apart, at least three; equal numbers read alike. */
export function apart(first: number, second: number): [string, string] {
  let count = 3;
  // 17 digits tell any two doubles apart
  while (count < 17 && first !== second && digits(first, count) === digits(second, count)) count++;
  return [digits(first, count), digits(second, count)];
}

function digits(value: number, count: number): string {
  return String(Number.isInteger(value) ? value : Number(value.toPrecision(count)));
}
