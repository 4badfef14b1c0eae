export const parts = [0, 1, 2, 3, 4, 5].map((part) => `/parts/${part}.bin`);
