/*
 * The one error of transcoding that is an answer rather than a fault: this data set cannot be converted, and why, in
 * words that go into the log and beside the instance in the folder of failed ones.
 */

export class CannotTranscode extends Error {
  override readonly name = "CannotTranscode";
}
