/** Hides numbers by which a person is known, each only when its form and its check digits agree. */
export function hidePersonal(text: string): string {
  return hidePhones(hideNationalIds(text));
}

const ID = "[redacted:national-id]";

function hideNationalIds(text: string): string {
  return (
    text
      // United States: social security number.
      .replace(/(?<![\w-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])/g, ID)
      // Spain: DNI and NIE, with their check letter.
      .replace(
        /(?<!\w)([XYZ]?)(\d{7,8})-?([A-HJ-NP-TV-Z])(?!\w)/gi,
        (all: string, first: string, digits: string, letter: string) =>
          isDni(first.toUpperCase(), digits, letter.toUpperCase()) ? ID : all,
      )
      // Brazil: CPF, with its two check digits.
      .replace(/(?<![\w.])\d{3}\.\d{3}\.\d{3}-\d{2}(?!\w)/g, (all) => (isCpf(all.replace(/\D/g, "")) ? ID : all))
      // Chile: RUT, with its check digit.
      .replace(/(?<![\w.])(\d{1,2}\.?\d{3}\.?\d{3})-([\dk])(?!\w)/gi, (all: string, digits: string, check: string) =>
        isRut(digits.replace(/\D/g, ""), check.toUpperCase()) ? ID : all,
      )
      // United Kingdom: national insurance number.
      .replace(/(?<!\w)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D](?!\w)/g, ID)
  );
}

/** Numbers with a country's code, or of the lengths and groups in which people write them. */
function hidePhones(text: string): string {
  return text.replace(/(?<![\w.+/-])(?:\+|00)?\(?\d[\d ()-]{6,18}\d(?![\w-]|\.\d)/g, (run) => {
    const digits = run.replace(/\D/g, "");
    if (digits.length < 9 || digits.length > 15 || /\d{4}-\d{2}-\d{2}/.test(run)) return run;
    return /^(?:\+|00)/.test(run) || /\d[ ()-]+\d/.test(run) ? "[redacted:phone]" : run;
  });
}

function isDni(first: string, digits: string, letter: string): boolean {
  if (digits.length !== (first === "" ? 8 : 7)) return false;
  const number = Number((first === "" ? "" : "XYZ".indexOf(first)) + digits);
  return "TRWAGMYFPDXBNJZSQVHLCKE"[number % 23] === letter;
}

function isCpf(digits: string): boolean {
  if (/^(\d)\1+$/.test(digits)) return false;
  const check = (length: number): number => {
    let sum = 0;
    for (let at = 0; at < length; at++) sum += Number(digits[at]) * (length + 1 - at);
    return ((sum * 10) % 11) % 10;
  };
  return check(9) === Number(digits[9]) && check(10) === Number(digits[10]);
}

function isRut(digits: string, check: string): boolean {
  let sum = 0;
  for (let at = 0; at < digits.length; at++) sum += Number(digits[digits.length - 1 - at]) * (2 + (at % 6));
  return "0K987654321"[sum % 11] === check;
}
