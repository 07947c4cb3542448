namespace Gateway.Routes;

/// <summary>One link of a <c>Link</c> field (RFC 8288, section 3).</summary>
/// <param name="Target">The reference between the angle brackets.</param>
/// <param name="Parameters">The parameters, in their order.</param>
internal sealed record LinkHeader(string Target, LinkHeader.Parameter[] Parameters)
{
    public override string ToString() =>
        string.Concat([$"<{Target}>", .. Parameters.Select(parameter => $"; {parameter.Text}")]);

    /// <returns>The links of a field; null if the field is malformed.</returns>
    public static List<LinkHeader>? Parse(string field)
    {
        var links = new List<LinkHeader>();
        var reader = new Reader(field);
        while (true)
        {
            // Empty elements of a list are ignored (RFC 9110, section 5.6.1).
            do reader.SkipBlanks();
            while (reader.Take(','));
            if (reader.IsAtEnd) return links;
            if (!reader.Take('<') || reader.ReadTo('>') is not { } target) return null;
            var parameters = new List<Parameter>();
            for (reader.SkipBlanks(); reader.Take(';'); reader.SkipBlanks())
            {
                reader.SkipBlanks();
                if (reader.IsBefore(';') || reader.IsBefore(',') || reader.IsAtEnd) continue;
                if (reader.ReadParameter() is not { } parameter) return null;
                parameters.Add(parameter);
            }
            if (!reader.IsAtEnd && !reader.IsBefore(',')) return null;
            links.Add(new LinkHeader(target.Trim(), [.. parameters]));
        }
    }

    /// <param name="Text">The parameter as it was sent.</param>
    /// <param name="Value">The value without quotes and escapes; null if there is none.</param>
    public readonly record struct Parameter(string Text, string Name, string? Value);

    private ref struct Reader(string text)
    {
        private int _at;

        public readonly bool IsAtEnd => _at == text.Length;

        public readonly bool IsBefore(char c) => !IsAtEnd && text[_at] == c;

        public void SkipBlanks()
        {
            while (IsBefore(' ') || IsBefore('\t')) _at++;
        }

        public bool Take(char c)
        {
            if (!IsBefore(c)) return false;
            _at++;
            return true;
        }

        public string? ReadTo(char end)
        {
            var length = text.AsSpan(_at).IndexOf(end);
            if (length < 0) return null;
            var read = text.Substring(_at, length);
            _at += length + 1;
            return read;
        }

        public Parameter? ReadParameter()
        {
            var start = _at;
            if (ReadToken() is not { Length: > 0 } name) return null;
            var end = _at;
            SkipBlanks();
            if (!Take('=')) return new Parameter(text[start..end], name, null);
            SkipBlanks();
            var value = IsBefore('"') ? ReadQuoted() : ReadToken();
            return value is null ? null : new Parameter(text[start.._at], name, value);
        }

        private string ReadToken()
        {
            var start = _at;
            while (!IsAtEnd && !" \t;,=\"<>".Contains(text[_at])) _at++;
            return text[start.._at];
        }

        private string? ReadQuoted()
        {
            var value = new System.Text.StringBuilder();
            for (_at++; !IsAtEnd; _at++)
            {
                if (Take('"')) return value.ToString();
                if (IsBefore('\\')) _at++;
                if (IsAtEnd) return null;
                value.Append(text[_at]);
            }
            return null;
        }
    }
}
