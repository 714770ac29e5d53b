// The vital signs: what each is called in messages, its unit, and how far it is rounded for people.

/** Every sign, by its name in messages. The soft range is what a trend shows at least, so that trends can be compared. */
export const SIGNS = {
  heart_rate: { unit: "/min", decimals: 0, range: [40, 140] },
  spo2: { unit: "%", decimals: 0, range: [82, 100] },
  systolic: { unit: "mmHg", decimals: 0, range: [50, 180] },
  diastolic: { unit: "mmHg", decimals: 0, range: [50, 180] },
  respiratory_rate: { unit: "/min", decimals: 0, range: [6, 30] },
  temperature: { unit: "°C", decimals: 1, range: [35, 40] },
};

/** What stands together as one number: both pressures do. */
export const PANELS = [
  { name: "heart_rate", signs: ["heart_rate"] },
  { name: "spo2", signs: ["spo2"] },
  { name: "blood_pressure", signs: ["systolic", "diastolic"] },
  { name: "respiratory_rate", signs: ["respiratory_rate"] },
  { name: "temperature", signs: ["temperature"] },
];

export const unitOf = (panel) => SIGNS[panel.signs[0]].unit;
