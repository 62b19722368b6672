export function levenshteinDistance(first: string, second: string): number;
