package splitter

// VariantOf returns which known variant a bucket gets in a table that sends not everybody the same way, kills considered.
func (t *Table) VariantOf(bucket uint32) int { return t.at(bucket).Variant }
